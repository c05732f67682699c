import os
import stat
import subprocess
import sys
import textwrap

import pytest

from firmware_export.common import staging
from firmware_export.output import publication
from firmware_export.output.publication import MARK

OLD = {"export.json": b"old", "model.h": b"old", "zephyr/module.yml": b"old"}
NEW = {"export.json": b"new", "model.h": b"new", "golden.h": b"new", "cmake/deep/a.cmake": b"new"}
STALE = ["zephyr/module.yml"]
OTHERS = {"mine.c": b"mine", "zephyr/mine.c": b"mine", ".git/config": b"mine"}


def files(folder):
    found = (path for path in folder.rglob("*") if path.is_file() and MARK not in str(path.relative_to(folder)))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def hidden(folder):
    return [path for path in folder.rglob(f"*{MARK}*") if path.is_dir()]


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "parent" / "out [1]"
    for name, content in (OLD | OTHERS).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(params=["exchange", "renames", "files"])
def way(request, monkeypatch, out):
    if request.param != "exchange":
        monkeypatch.setattr(publication, "_renameat2", lambda: None)
    if request.param == "files":
        monkeypatch.chdir(out)
    return request.param


def test_files_are_replaced_and_others_stay(out, way):
    (out / "link").symlink_to("mine.c")
    (out / "broken").symlink_to("nowhere")
    (out / "to folder").symlink_to(".git")
    (out / "empty").mkdir()
    (out / "mine.c").chmod(0o640)
    out.chmod(0o750)
    publication.publish(out, NEW, STALE)
    assert files(out) == NEW | OTHERS | {"link": b"mine"}
    assert (out / "link").is_symlink()
    assert (out / "broken").is_symlink()
    assert (out / "to folder").readlink().as_posix() == ".git"
    assert (out / "empty").is_dir()
    assert stat.S_IMODE((out / "mine.c").stat().st_mode) == 0o640
    assert stat.S_IMODE(out.stat().st_mode) == 0o750
    assert not hidden(out.parent)


def test_a_link_to_the_folder_stays_one(out, tmp_path):
    (tmp_path / "link").symlink_to(out)
    publication.publish(tmp_path / "link", NEW, STALE)
    assert (tmp_path / "link").is_symlink()
    assert files(out) == NEW | OTHERS


def test_a_folder_with_many_other_files_is_not_rebuilt(out, monkeypatch):
    monkeypatch.setattr(publication, "MOST_LINKS", 2)
    before = out.stat().st_ino
    publication.publish(out, NEW, STALE)
    assert files(out) == NEW | OTHERS
    assert out.stat().st_ino == before
    assert not hidden(out.parent)


def test_a_file_system_without_links_gets_copies(out, monkeypatch):
    def link(*_, **__):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    publication.publish(out, NEW, STALE)
    assert files(out) == NEW | OTHERS


def test_a_parent_that_cannot_be_written(out, monkeypatch):
    honest = staging.tempfile.mkdtemp

    def mkdtemp(dir, prefix):
        if dir == out.parent:
            raise PermissionError(13, "Permission denied")
        return honest(dir=dir, prefix=prefix)

    monkeypatch.setattr(staging.tempfile, "mkdtemp", mkdtemp)
    publication.publish(out, NEW, STALE)
    assert files(out) == NEW | OTHERS
    assert not hidden(out.parent)


def test_a_running_publication_is_left_alone(out):
    with staging.folder(out.parent, f".{out.name}{MARK}") as stage:
        publication.recover(out)
        assert stage.exists()
    (out.parent / f".other{MARK}x").mkdir()  # of another folder
    stale = out.parent / f".{out.name}{MARK}x"
    stale.mkdir()
    (out / f"{MARK}y").mkdir()
    publication.recover(out)
    assert [path.name for path in hidden(out.parent)] == [f".other{MARK}x"]
    assert files(out) == OLD | OTHERS


KILLED = """
import errno, fcntl, os, signal, sys
from pathlib import Path
from firmware_export.output import publication

out, way, kill_at = Path(sys.argv[1]), sys.argv[2], 0
if way == "renames without locks":
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")
    fcntl.flock = flock
OLD, NEW, OTHERS, STALE = {old!r}, {new!r}, {others!r}, {stale!r}
MARK = publication.MARK
EVENTS = ("open", "os.", "shutil.", "tempfile.")
if way != "exchange":
    publication._renameat2 = lambda: None

def files():
    found = (path for path in out.rglob("*") if path.is_file() and MARK not in str(path.relative_to(out)))
    return {{path.relative_to(out).as_posix(): path.read_bytes() for path in found}}

def reset():
    if way == "new":
        import shutil
        shutil.rmtree(out, ignore_errors=True)
        return {{}}
    publication.publish(out, OLD, sorted(set(NEW) - set(OLD)))
    for name, content in OTHERS.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    return OLD | OTHERS

def killed_at(count):
    child = os.fork()
    if not child:
        left = count
        def hook(event, arguments):
            nonlocal left
            if event.startswith(EVENTS) and event != "os.kill":
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        if way == "files":
            os.chdir(out)
        sys.addaudithook(hook)
        publication.publish(out, NEW, STALE)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

publication._renameat2()
states = set()
while True:
    before = reset()
    after = NEW | (OTHERS if before else {{}})
    was_killed = killed_at(kill_at)
    if way in ("exchange", "new"):
        assert files() in (before, after), (kill_at, files())
    publication.recover(out)
    now = files()
    assert now in (before, after), (kill_at, now)
    states.add(now == after)
    left = [str(path) for path in out.parent.rglob("*") if MARK in path.name]
    assert not left, (kill_at, left)
    if not was_killed:
        break
    kill_at += 1
assert states == {{False, True}}
print(kill_at)
"""


@pytest.mark.parametrize("way", ["exchange", "renames", "files", "new", "renames without locks"])
def test_a_kill_at_any_moment_leaves_the_old_folder_or_the_new_one(tmp_path, way):
    code = textwrap.dedent(KILLED).format(old=OLD, new=NEW, others=OTHERS, stale=STALE)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "parent" / "out"), way], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40, "too few moments"
