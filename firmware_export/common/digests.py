"""Digests of files that a later step or another run reads, so that a damaged file is noticed.

`write_with` and the other writers keep the SHA-256 of a file in the folder `sha256` beside it, in the format of the
program `sha256sum`. A file without such a record is accepted: an older version or a user wrote it.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_export.common import files
from firmware_export.common.errors import UserError

FOLDER = "sha256"

KEY = "sha256"
"""Key of digests in JSON files: of one file, or of several by name."""

RESULTS_FILE = "metrics.json"
"""In a run's folder; the object of each step has the digests of the step's files."""


def of(path: Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_with(path: Path, save: Callable[[Path], Any]) -> None:
    """Write a file as `files.write_with` does, and record its digest."""

    def save_and_record(temporary: Path) -> None:
        save(temporary)
        _record(path, of(temporary))

    files.write_with(path, save_and_record)


def write_text(path: Path, content: str) -> None:
    """Write text as UTF-8, and record the file's digest.

    Raises:
        UserError: as `files.encoded`.
    """
    written = files.encoded(content, path)
    write_with(path, lambda temporary: temporary.write_bytes(written))


def write_json(path: Path, value: Any) -> None:
    """Write JSON (`files.as_json`), and record the file's digest."""
    write_text(path, files.as_json(value))


def _record(path: Path, digest: str) -> None:
    """Record the digest before the file gets its name. Until then, the old file is still valid."""
    held = _recorded(path)[:1]
    if not held and path.exists():
        held = [of(path)]
    lines = [f"{each}  ../{path.name}\n" for each in dict.fromkeys([digest, *held])]
    files.write_text(record_of(path), "".join(lines))


def record_of(path: Path) -> Path:
    """The file with the digest of `path`: its first line, and until the next write also that of the file before."""
    return path.parent / FOLDER / f"{path.name}.{FOLDER}"


def _recorded(path: Path) -> list[str]:
    try:
        return [line.split()[0] for line in files.read_text(record_of(path)).splitlines() if line.strip()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except ValueError:  # the record itself is damaged
        return [""]


def is_whole(path: Path) -> bool:
    """Whether a file is as it was written, or has no record.

    Raises:
        OSError: the file cannot be read.
    """
    recorded = _recorded(path)
    return not recorded or of(path) in recorded


def is_recorded(path: Path, content: bytes) -> bool:
    """Whether `content` is what was written to `path`."""
    return hashlib.sha256(content).hexdigest() in _recorded(path)[:1]


def check(path: Path, remedy: str = "restore a copy") -> None:
    """Refuse a damaged file. A file that does not exist passes.

    Raises:
        UserError: the file is not as it was written; `remedy` says what to do.
    """
    if path.exists() and not is_whole(path):
        raise UserError(
            f"{path} is damaged (its SHA-256 is not the one in {record_of(path)}): {remedy}, or remove that record if "
            "you changed the file yourself"
        )


def remove(path: Path) -> None:
    """Delete a file and its record, if they exist."""
    path.unlink(missing_ok=True)
    record_of(path).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # it has other records, or does not exist
        record_of(path).parent.rmdir()


def check_described(path: Path) -> None:
    """Refuse a model whose digest differs from the one in a JSON file beside it.

    This is the key `sha256` in a file of the same name (`student.json` for `student.keras`), or in `metrics.json` of
    the run whose folder contains it. A model without such a digest passes.

    Args:
        path: the model, an existing file.

    Raises:
        UserError: the digests differ.
    """
    beside, remedy = path.with_suffix(".json"), "copy it again, or remove that file if the model is right"
    described = _json(beside).get(KEY)
    if described is None:
        beside, remedy = path.parent / RESULTS_FILE, "repeat the run's command with this folder, which makes it again"
        steps = [step.get(KEY) for step in _json(beside).values() if isinstance(step, dict)]
        described = next((step[path.name] for step in steps if isinstance(step, dict) and path.name in step), None)
    if isinstance(described, str) and described != of(path):
        raise UserError(f"{path} is damaged or was replaced (its SHA-256 is not the one in {beside}): {remedy}")


def _json(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        values = json.loads(files.read_text(path))
        return values if isinstance(values, dict) else {}
    return {}
