"""Files appear whole or not at all: written under a temporary name, then renamed. Texts are read as UTF-8."""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically; missing parent folders are made.

    Raises:
        OSError: the disk is full or the folder cannot be written; `path` is then as it was before.
    """
    write_with(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, atomically."""
    write_bytes(path, content.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as JSON (`as_json`), atomically."""
    write_text(path, as_json(value))


def as_json(value: Any) -> str:
    """`value` as indented JSON with a final line break. NaN is an error, since JSON has none."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def read_text(path: Path) -> str:
    """The UTF-8 text of a file, without the byte-order mark that some editors put before it.

    Raises:
        OSError: the file cannot be read.
        UnicodeDecodeError: it is no UTF-8.
    """
    return path.read_text(encoding="utf-8-sig")


def write_with(path: Path, save: Callable[[Path], Any]) -> None:
    """Let `save` write a temporary file that keeps `path`'s suffix (savers choose the format by it), then rename it.

    The content is on the disk before the name is: after a power failure `path` is the old file or the new one.
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
    """Wait until the names in `folder` are on the disk; does nothing on systems that cannot tell (Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
