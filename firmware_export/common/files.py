"""Atomic file writes: each file is written under a temporary name, then renamed. Text is read as UTF-8."""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


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
    the disk before the rename: after a power failure, `path` is either the old file or the complete new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = "".join(path.suffixes[-2:])
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=suffix)
    os.close(descriptor)
    temporary = Path(name)
    try:
        save(temporary)
        temporary.chmod(0o644)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk; does nothing on systems without this function (Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
