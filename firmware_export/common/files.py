"""Atomic file writes: each file is written in a temporary folder, then moved. Text is read as UTF-8."""

import contextlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_export.common import staging
from firmware_export.common.errors import UserError

_LONGEST = 300  # characters of a name in a message
_MOST_NAME = 40  # characters of a file's name in that of its temporary folder: a file system allows 255 bytes

# Python represents the bytes of file names that are not UTF-8 with lone surrogates.
_NOT_UTF_8 = re.compile(r"[^\r\n\t,;\"|<>]*[\ud800-\udfff][^\r\n\t,;\"|<>]*")


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically; create missing parent folders.

    Raises:
        OSError: the disk is full or the folder cannot be written; `path` is unchanged.
    """
    write_with(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, atomically.

    Raises:
        UserError: as `encoded`.
    """
    write_bytes(path, encoded(content, path))


def encoded(content: str, what: Any) -> bytes:
    """`content` as UTF-8.

    Args:
        content: may contain names of files.
        what: the file that it is written to, or the set that it is of; for the message.

    Raises:
        UserError: a name in it is not UTF-8.
    """
    try:
        return content.encode()
    except UnicodeEncodeError:
        names = [found[0].strip() for found in _NOT_UTF_8.finditer(content)]
        raise UserError(f"{what}: {names[0][:_LONGEST]!r} is not UTF-8: rename that file, folder or class") from None


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
    """Call `save` with a temporary path, then move that file to `path`.

    The temporary path keeps the name of `path`, because some writers choose the format by its suffix. The content
    reaches the disk before the move: after a power failure, `path` is either the old file or the complete new one. The
    next write of `path` removes what a killed one left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name[:_MOST_NAME]}-"
    staging.remove_abandoned(path.parent, prefix)
    with staging.folder(path.parent, prefix) as stage:
        temporary = stage / path.name
        temporary.touch()
        save(temporary)
        temporary.chmod(0o644)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk; does nothing on systems without this function (Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
