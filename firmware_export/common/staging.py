"""Hidden folders in which files are written before they get their places, and their removal after a kill.

A process locks its folder, so a folder that is not locked was abandoned. On a file system without locks, the folder's
name tells: it states the machine and the process. The lock is on a folder and not on a file, because HDF5 locks the
files that it writes.
"""

import contextlib
import errno
import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""Errors of `flock` on a file system without locks, such as some network file systems."""


@contextlib.contextmanager
def folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new, locked folder in `parent`; deleted at the end of the block.

    Args:
        parent: an existing folder.
        prefix: start of the folder's name.
    """
    stage = Path(tempfile.mkdtemp(dir=parent, prefix=f"{prefix}{_machine()}-{os.getpid()}-"))
    with lock(stage):
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)


@contextlib.contextmanager
def lock(stage: Path) -> Iterator[bool]:
    """Lock a folder during the block, and say whether no other process uses it."""
    descriptor, is_free = None, False
    try:
        descriptor = os.open(stage, os.O_RDONLY)
        is_free = _lock(descriptor)
    except OSError as error:
        is_free = error.errno in NO_LOCKS and _has_ended(stage)
    try:
        yield is_free
    finally:
        if descriptor is not None:
            os.close(descriptor)


def remove_abandoned(parent: Path, prefix: str) -> None:
    """Delete the folders in `parent` whose names start with `prefix` and whose process has ended."""
    for entry in os.scandir(parent):
        if entry.name.startswith(prefix):
            with lock(Path(entry.path)) as is_free:
                if is_free:
                    shutil.rmtree(entry.path, ignore_errors=True)


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError as error:  # Windows
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _has_ended(stage: Path) -> bool:
    owner = re.fullmatch(r".*-([0-9a-f]{8})-(\d+)-\w+", stage.name, re.DOTALL)
    if owner is None or owner[1] != _machine() or os.name != "posix":
        return False
    try:
        os.kill(int(owner[2]), 0)  # sends nothing
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _machine() -> str:
    return hashlib.sha256(os.fsencode(platform.node())).hexdigest()[:8]
