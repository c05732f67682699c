import contextlib
import hashlib
import json
import os
from pathlib import Path

import pytest
from damage import flip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.output import folder, publication


def _files(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def _with_report(**contents):
    """Files of an export, its report among them."""
    names = sorted({folder.REPORT_FILE, *contents})
    return {**contents, folder.REPORT_FILE: json.dumps({"files": names})}


def _encoded(contents):
    return {name: text.encode() for name, text in contents.items()}


def test_a_new_folder_holds_the_files_and_nothing_else(tmp_path):
    contents = _with_report(**{"a.c": "int a;", "zephyr/module.yml": "name: ä"}) | {"m.tflite": b"\0\xff"}
    folder.publish(tmp_path / "new" / "firmware", contents)
    assert _files(tmp_path / "new" / "firmware") == _encoded(contents | {"m.tflite": "\0"}) | {"m.tflite": b"\0\xff"}
    assert os.listdir(tmp_path / "new") == ["firmware"]


def test_an_export_is_removed_and_the_users_own_stays(tmp_path):
    out, contents = tmp_path / "firmware", _with_report(**{"model.h": "new", "zephyr/deep/module.yml": "new"})
    folder.publish(out, contents)
    folder.remove(out)
    folder.remove(out)
    assert not list(tmp_path.iterdir())
    folder.publish(out, contents)
    (out / "zephyr" / "mine.c").write_text("mine")
    folder.remove(out)
    assert _files(out) == {"zephyr/mine.c": b"mine"}
    assert not (out / "zephyr" / "deep").exists()


def test_what_an_earlier_export_wrote_goes_and_the_users_own_stays(tmp_path):
    folder.publish(tmp_path, _with_report(**{"old.c": "old", "zephyr/module.yml": "old", "model.h": "old"}))
    (tmp_path / "mine.c").write_text("mine")
    later = _with_report(**{"model.h": "new"})
    folder.publish(tmp_path, later)
    assert _files(tmp_path) == _encoded(later | {"mine.c": "mine"})
    assert not (tmp_path / "zephyr").exists()


_NAMES = st.sampled_from(["a", "b", "c", "sub/a", "sub/b", "other/a"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.sets(_NAMES),
    second=st.sets(_NAMES),
    fails_after=st.integers(0, 24),
    way=st.sampled_from(["exchange", "renames", "files"]),
)
def test_a_failing_disk_puts_everything_back(tmp_path_factory, first, second, fails_after, way):
    path = tmp_path_factory.mktemp("parent") / "firmware"
    folder.publish(path, _with_report(**dict.fromkeys(first, "old")))
    (path / "mine").write_text("mine")
    before, after, moved = _files(path), _with_report(**dict.fromkeys(second, "new")), []

    def failing(honest):
        def move(*arguments):
            moved.append(arguments)
            if len(moved) == fails_after + 1:
                raise OSError(28, os.strerror(28))
            return honest(*arguments)

        return move

    with pytest.MonkeyPatch.context() as patch:
        if way != "exchange":
            patch.setattr(publication, "_renameat2", lambda: None)
        if way == "files":
            patch.chdir(path)
        for name in ("replace", "rename"):
            patch.setattr(Path, name, failing(getattr(Path, name)))
        try:
            folder.publish(path, after)
        except OSError:
            assert _files(path) == before
        else:
            assert _files(path) == _encoded(after | {"mine": "mine"})
    assert os.listdir(path.parent) == ["firmware"]


@pytest.mark.parametrize("listed", ["../mine.txt", "{absolute}", 3, "sub"])
def test_a_report_cannot_have_files_elsewhere_removed(tmp_path, listed):
    path = tmp_path / "firmware"
    (path / "sub").mkdir(parents=True)
    (tmp_path / "mine.txt").write_text("mine")
    listed = str(tmp_path / "mine.txt") if listed == "{absolute}" else listed
    (path / folder.REPORT_FILE).write_text(json.dumps({"files": [listed]}))
    folder.publish(path, _with_report(a="new"))
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (path / "sub").is_dir()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="out is a file, a folder expected: give another --out"):
        folder.check(tmp_path / "out")
    folder.check(tmp_path)
    folder.check(tmp_path / "new")


def test_files_that_no_export_wrote_are_foreign(tmp_path):
    for name in "abcde":
        (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=r"did not write \(a, b, c and 1 more\): give another --out, or --force"):
        folder.check_foreign(tmp_path, ["a", "b", "c", "d", "new"])
    folder.check_foreign(tmp_path, ["new"])
    (tmp_path / folder.REPORT_FILE).write_text(json.dumps({"files": ["a"]}))
    folder.check_foreign(tmp_path, ["a", folder.REPORT_FILE])
    with pytest.raises(UserError, match=r"did not write \(b\)"):
        folder.check_foreign(tmp_path, ["a", "b"])


@pytest.mark.parametrize("said", ["", "{", "[]", '{"files": 3}', "{}"])
def test_a_broken_report_lists_nothing(tmp_path, said):
    (tmp_path / folder.REPORT_FILE).write_text(said)
    with pytest.raises(UserError, match=r"did not write \(export\.json\)"):
        folder.check_foreign(tmp_path, [folder.REPORT_FILE])


def _sealed(out, **contents):
    listed = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in contents.items()}
    report = folder.sealed({"files": sorted({*contents, folder.REPORT_FILE}), folder.DIGESTS: listed})
    folder.publish(out, {**contents, folder.REPORT_FILE: report})
    return out


def test_a_whole_folder_is_read(tmp_path):
    out = _sealed(tmp_path / "firmware", **{"a.c": "int a;", "b/c.h": "int c;"})
    assert folder.read_whole(out)["files"] == ["a.c", "b/c.h", "export.json"]
    (out / "a.c").unlink()  # the user needs only the other engine, say
    (out / "mine.c").touch()
    folder.read_whole(out)
    (out / folder.REPORT_FILE).unlink()
    with pytest.raises(FileNotFoundError):
        folder.read_whole(out)


def test_damaged_files_are_named(tmp_path):
    out = _sealed(tmp_path / "firmware", **{f"{name}.c": "int a;" for name in "abcdef"})
    for name in "bcdef":
        (out / f"{name}.c").write_text("int b;")
    with pytest.raises(UserError, match=r"damaged or edited files \(b.c, c.c, d.c and 2 more: the SHA-256"):
        folder.read_whole(out)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fraction=st.floats(0, 1), bit=st.integers(0, 7))
def test_a_flip_in_a_report_is_found(tmp_path, fraction, bit):
    out = _sealed(tmp_path / "firmware", **{"a.c": "int a;"})
    before = folder.read_report(out)
    flip(out / folder.REPORT_FILE, fraction, bit)
    read = None
    with contextlib.suppress(UserError):
        read = folder.read_report(out)
    assert read in (None, before)  # a flip can make another white space of a space


@pytest.mark.parametrize("content", ["", "[]", "1", '{"digests": []}', '{"digests": {}}', "[" * 100_000, "NaN", "\0"])
def test_what_is_no_report(tmp_path, content):
    (tmp_path / folder.REPORT_FILE).write_text(content)
    with pytest.raises(UserError, match=r"export\.json' is (not readable|damaged)"):
        folder.read_report(tmp_path)


def test_a_report_of_an_earlier_version_has_no_digests(tmp_path):
    (tmp_path / folder.REPORT_FILE).write_text('{"files": []}')
    assert folder.read_whole(tmp_path) == {"files": []}


@pytest.mark.parametrize("name", ["../outside.c", "/outside.c"])
def test_files_elsewhere_are_not_read(tmp_path, name):
    (tmp_path / "outside.c").touch()
    (tmp_path / "firmware").mkdir()
    assert folder.damaged(tmp_path / "firmware", {folder.DIGESTS: {name: "0" * 64}}) == []
