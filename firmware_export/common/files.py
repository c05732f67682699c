"""Atomic file writes: each file is written under a temporary name, then renamed. Text is read as UTF-8."""

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""Errors of `flock` on a file system without locks, such as some network file systems."""

_MOST_NAME = 100  # characters of a name in that of its temporary file: a file system allows 255 bytes


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically; create missing parent folders.

    Raises:
        OSError: the disk is full or the folder cannot be written; `path` is unchanged.
    """
    write_with(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, atomically."""
    write_bytes(path, content.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as JSON (`as_json`), atomically."""
    write_text(path, as_json(value))


def as_json(value: Any) -> str:
    """`value` as indented JSON with a final line break. NaN is an error, because JSON cannot represent it."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def read_text(path: Path) -> str:
    """The UTF-8 text of a file, without the byte-order mark that some editors add.

    Raises:
        OSError: the file cannot be read.
        UnicodeDecodeError: the file is not UTF-8.
    """
    return path.read_text(encoding="utf-8-sig")


def write_with(path: Path, save: Callable[[Path], Any]) -> None:
    """Call `save` with a temporary path, then rename that file to `path`.

    The temporary path keeps the suffix of `path`, because some writers choose the format by it. The content reaches
    the disk before the rename: after a power failure, `path` is either the old file or the complete new one. The next
    write of `path` removes what a killed one left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name[:_MOST_NAME]}-"
    _remove_stale(path.parent, prefix)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix="".join(path.suffixes[-2:]))
    temporary = Path(name)
    try:
        with contextlib.suppress(OSError):
            lock(descriptor)
        save(temporary)
        temporary.chmod(0o644)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)


def _remove_stale(folder: Path, prefix: str) -> None:
    """Delete temporary files whose process has ended. Without locks, they stay."""
    for entry in os.scandir(folder):
        if entry.name.startswith(prefix):
            with contextlib.suppress(OSError):
                descriptor = os.open(entry.path, os.O_RDONLY)
                try:
                    if lock(descriptor):
                        os.unlink(entry.path)
                finally:
                    os.close(descriptor)


def lock(descriptor: int) -> bool:
    """Lock an open file or folder, unless another process has. The lock ends with the process or the descriptor.

    Raises:
        OSError: the file system has no locks; its `errno` is in `NO_LOCKS`.
    """
    try:
        import fcntl
    except ImportError as error:  # Windows
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk; does nothing on systems without this function (Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
