"""Replacement of a folder in one step: after a kill at any moment, it is the whole old folder or the whole new one.

The new folder is written beside the old one, under a hidden name, with hard links to the files that stay. Then both
exchange their names: on Linux in one system call, elsewhere with two renames. If a kill comes between these two, the
next publication restores the old folder. It also removes the hidden folders that a kill left (`staging`).

Some folders cannot be renamed: a mount point, one whose parent cannot be written, one that processes work in. Their
files are replaced one by one; if a kill interrupts this, the next publication first completes it.
"""

import contextlib
import ctypes
import functools
import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from firmware_export.common import staging
from firmware_export.common.files import sync_folder, write_bytes, write_text

MARK = ".firmware_export-"
"""In the names of all hidden folders."""

MOST_LINKS = 10_000
"""A folder with more files that stay is not rebuilt: its exported files are replaced one by one."""

_READY = "stale.json"

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # <linux/fs.h>


class _CannotBeRenamedError(Exception):
    pass


def publish(out_dir: Path, contents: Mapping[str, bytes], stale: Collection[str]) -> None:
    """Write files into a folder, and remove others from it, all or none.

    Args:
        out_dir: created if missing; files that are in neither argument stay.
        contents: by relative path.
        stale: relative paths of files to remove.

    Raises:
        OSError: the folder cannot be written, or the disk is full; the folder is as before.
    """
    out_dir = out_dir.resolve()
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    recover(out_dir)
    try:
        _replace_folder(out_dir, contents, stale)
    except _CannotBeRenamedError:
        _replace_files(out_dir, contents, stale)


def recover(out_dir: Path) -> None:
    """Complete or undo what a killed publication of `out_dir` left, and remove its hidden folders."""
    for stage in out_dir.parent.glob(f".*{MARK}*"):
        if stage.name.startswith(f".{out_dir.name}{MARK}"):
            with staging.lock(stage) as is_free:
                if is_free:
                    if (stage / "old").is_dir() and not out_dir.exists():
                        (stage / "old").rename(out_dir)
                        sync_folder(out_dir.parent)
                    shutil.rmtree(stage, ignore_errors=True)
    for stage in out_dir.glob(f"{MARK}*"):
        with staging.lock(stage) as is_free:
            if is_free:
                if (stage / _READY).exists():
                    _move_files(out_dir, stage)
                shutil.rmtree(stage, ignore_errors=True)


def _replace_folder(out_dir: Path, contents: Mapping[str, bytes], stale: Collection[str]) -> None:
    if out_dir.exists() and (os.path.ismount(out_dir) or _works_in(out_dir)):
        raise _CannotBeRenamedError
    try:
        held = staging.folder(out_dir.parent, f".{out_dir.name}{MARK}")
        stage = held.__enter__()
    except OSError as error:
        if out_dir.exists():
            raise _CannotBeRenamedError from error
        raise
    with contextlib.ExitStack() as stack:
        stack.push(held)
        new = stage / "new"
        new.mkdir()
        for name, content in contents.items():
            write_bytes(new / name, content)
        if out_dir.exists():
            _link_others(out_dir, new, {*contents, *stale})
        sync_folder(new)
        _take_name(new, out_dir, stage / "old")
        sync_folder(out_dir.parent)


def _works_in(out_dir: Path) -> bool:
    """Whether this process works in the folder, and so probably the shell too, which would stay in the old folder."""
    with contextlib.suppress(OSError):
        return Path.cwd().is_relative_to(out_dir)
    return False


def _link_others(out_dir: Path, new: Path, replaced: Collection[str]) -> None:
    """Put the files that stay into the new folder: hard links, or copies where the file system has none."""
    links = 0
    for folder, subfolders, names in os.walk(out_dir):
        inside = Path(folder).relative_to(out_dir)
        subfolders[:] = [name for name in subfolders if not name.startswith(MARK)]
        for name in [*subfolders, *names]:
            source, target = Path(folder, name), new / inside / name
            if source.is_symlink() or name in names:
                if (inside / name).as_posix() in replaced:
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(source, target)
                links += 1
            elif os.path.ismount(source):
                raise _CannotBeRenamedError
            elif not any(source.iterdir()):
                target.mkdir(parents=True, exist_ok=True)  # the user's own empty folder stays
        if links > MOST_LINKS:
            raise _CannotBeRenamedError
    for folder, _, _ in os.walk(new, topdown=False):
        old = out_dir / Path(folder).relative_to(new)
        if old.is_dir():
            shutil.copystat(old, folder)
            with contextlib.suppress(OSError, AttributeError):  # only root may give files away
                os.chown(folder, old.stat().st_uid, old.stat().st_gid)
        sync_folder(Path(folder))


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copy2(source, target, follow_symlinks=False)


def _take_name(new: Path, out_dir: Path, old: Path) -> None:
    if not out_dir.exists():
        new.rename(out_dir)
        return
    try:
        if _exchange(new, out_dir):
            return
        out_dir.rename(old)
    except OSError as error:  # it is busy, or the user may not rename it
        raise _CannotBeRenamedError from error
    try:
        new.rename(out_dir)
    except OSError:
        old.rename(out_dir)
        raise


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; False if the system cannot."""
    call = _renameat2()
    if call is None:
        return False
    return bool(call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


@functools.cache
def _renameat2() -> "ctypes._NamedFuncPointer | None":
    with contextlib.suppress(OSError, AttributeError, TypeError):
        call = ctypes.CDLL(None, use_errno=True).renameat2
        call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
        return call
    return None


def _replace_files(out_dir: Path, contents: Mapping[str, bytes], stale: Collection[str]) -> None:
    with staging.folder(out_dir, MARK) as stage:
        for name, content in contents.items():
            write_bytes(stage / "new" / name, content)
        # From here on, a killed publication is completed.
        write_text(stage / _READY, json.dumps(sorted(stale)))
        _move_files(out_dir, stage)


def _move_files(out_dir: Path, stage: Path) -> None:
    """Move the files of `stage` to their places. Can be repeated until it is finished; an error undoes it."""
    new, old = stage / "new", stage / "old"
    names = sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file())
    stale = json.loads((stage / _READY).read_text(encoding="utf-8"))
    moved = []
    try:
        for name in [*stale, *names]:
            (old / name).parent.mkdir(parents=True, exist_ok=True)
            if (out_dir / name).is_file():
                (out_dir / name).replace(old / name)
            if name in stale:
                continue
            (out_dir / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).replace(out_dir / name)
            moved.append(name)
    except OSError:
        (stage / _READY).unlink(missing_ok=True)
        for name in moved:
            (out_dir / name).unlink(missing_ok=True)
        for name in [*stale, *names]:
            if (old / name).exists():
                (old / name).replace(out_dir / name)
        raise
    for name in stale:
        for folder in list(Path(name).parents)[:-1]:
            with contextlib.suppress(OSError):  # other files are in it
                (out_dir / folder).rmdir()
    for folder in {out_dir, *((out_dir / name).parent for name in names)}:
        sync_folder(folder)
