import json
import os
import signal
import stat
import subprocess
import sys

import h5py
import pytest

from firmware_export.common import digests, files
from firmware_export.common.errors import UserError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "model.h5"
    files.write_bytes(path, b"old")

    def fail(temporary):
        temporary.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_with(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_savers_that_choose_the_format_by_its_ending_see_it(tmp_path):
    seen = []
    files.write_with(tmp_path / "deep" / "student.weights.h5", lambda path: seen.append(path.name))
    assert seen[0].endswith(".weights.h5")


def test_content_is_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    path = tmp_path / "model.h5"
    done = []

    def fsync(descriptor, sync=os.fsync):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append(("folder" if is_folder else os.fstat(descriptor).st_size, path.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    files.write_bytes(path, b"four")
    assert done == [(4, False), ("folder", True)]


def test_folder_that_cannot_be_synced_is_passed_over(tmp_path):
    files.sync_folder(tmp_path / "absent")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["without mark", "with mark"])
def test_text_is_read_without_its_byte_order_mark(tmp_path, mark):
    (tmp_path / "names.txt").write_bytes(mark + "Straße\n".encode())
    assert files.read_text(tmp_path / "names.txt") == "Straße\n"


def test_text_that_is_no_utf_8_is_an_error(tmp_path):
    (tmp_path / "names.txt").write_bytes("Straße".encode("latin-1"))
    with pytest.raises(UnicodeDecodeError):
        files.read_text(tmp_path / "names.txt")


def test_json_is_json(tmp_path):
    files.write_json(tmp_path / "a.json", {"a": [1, 2.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, 2.5]}
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, 2.5]}


WRITER = """
import os, signal, sys
from pathlib import Path
from firmware_export.common import digests, files
from firmware_export.common.errors import UserError

def save(path):
    path.write_bytes(b"half")
    print(flush=True)
    input()

files.write_with(Path(sys.argv[1]), save)
"""


def test_what_a_killed_write_left_is_removed_and_a_running_one_is_left_alone(tmp_path):
    path = tmp_path / "model.weights.h5"
    words = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()
        files.write_bytes(path, b"one")
        files.write_bytes(tmp_path / "model", b"another name")
        assert len(list(tmp_path.iterdir())) == 3
        writer.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) == 3
    files.write_bytes(path, b"two")
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {
        "model.weights.h5": b"two",
        "model": b"another name",
    }


def test_a_long_name(tmp_path):
    path = tmp_path / ("x" * 240 + ".weights.h5")
    files.write_bytes(path, b"one")
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_may_lock_the_file(tmp_path):
    def save(path):
        with h5py.File(path, "w", locking=True) as file:
            file["numbers"] = [1, 2]

    files.write_with(tmp_path / "model.h5", save)
    with h5py.File(tmp_path / "model.h5") as file:
        assert list(file["numbers"]) == [1, 2]


@pytest.mark.parametrize("write", [files.write_text, digests.write_text])
def test_text_with_names_that_are_not_utf_8_is_refused_and_the_old_file_stays(tmp_path, write):
    path = tmp_path / "list.csv"
    write(path, "name,class\nété.png,Forest\n")
    before = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    name = os.fsdecode(b"Forest/\xe9t\xe9 1.png")
    message = r"list.csv: 'Forest/\\udce9t\\udce9 1.png' is not UTF-8: rename that file, folder or class$"
    with pytest.raises(UserError, match=message):
        write(path, f"name,class\na.png,Forest\n{name},Forest\n")
    assert before == {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
