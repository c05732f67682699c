"""Files appear whole or not at all: written under a temporary name, then renamed."""

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


def write_with(path: Path, save: Callable[[Path], Any]) -> None:
    """Let `save` write a temporary file that keeps `path`'s suffix (savers choose the format by it), then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = "".join(path.suffixes[-2:])
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=suffix)
    os.close(descriptor)
    temporary = Path(name)
    try:
        save(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
