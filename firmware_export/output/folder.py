"""An exported folder: which files in it are the export's, and their replacement."""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from firmware_export.common.errors import UserError
from firmware_export.common.files import read_text
from firmware_export.output import publication

REPORT_FILE = "export.json"
"""Lists, under `files`, the files that an export has written."""


def check(out_dir: Path) -> None:
    """Refuse a path that cannot be a folder. Complete or undo what a killed export left in it.

    Raises:
        UserError: `out_dir` or a folder above it is a file, or cannot be written.
    """
    try:
        found = next(folder for folder in (out_dir, *out_dir.absolute().parents) if folder.exists())
    except OSError as error:  # the name is too long, say
        raise UserError(f"{out_dir} cannot be a folder: {error.strerror}: give another --out") from None
    if not found.is_dir():
        raise UserError(f"{found} is a file, a folder expected: give another --out")
    if not os.access(found, os.W_OK):
        raise UserError(f"{found} cannot be written: give another --out")
    publication.recover(out_dir.resolve())


def check_foreign(out_dir: Path, names: Iterable[str]) -> None:
    """Refuse to overwrite files that no export has written.

    Raises:
        UserError: one of the files `names` exists, and the folder's `export.json` does not list it.
    """
    foreign = sorted({name for name in names if (out_dir / name).exists()} - _written_before(out_dir))
    if foreign:
        listed = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise UserError(
            f"{out_dir} contains files that this tool did not write ({listed}): give another --out, or --force to "
            "overwrite them"
        )


def _written_before(out_dir: Path) -> set[str]:
    try:
        return {REPORT_FILE, *map(str, json.loads(read_text(out_dir / REPORT_FILE))["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def remove(out_dir: Path) -> None:
    """Delete the files that an export has written. Other files, and folders that contain any, are kept.

    Args:
        out_dir: need not exist.
    """
    publication.recover(out_dir.resolve())
    # The report is last, so an interrupted removal can be repeated.
    names = sorted(_written_before(out_dir), key=lambda name: (name == REPORT_FILE, name))
    for path in [out_dir / name for name in names if _is_file_within(out_dir, name)]:
        path.unlink()
        for folder in path.relative_to(out_dir).parents:
            with suppress(OSError):  # other files are in it, or it is removed already
                (out_dir / folder).rmdir()


def publish(out_dir: Path, contents: Mapping[str, str | bytes]) -> None:
    """Write all files or none, also if the process is killed (`publication`).

    Files of an earlier export that this one does not write are removed: they may belong to another model, and some
    build systems compile every source file in a folder.

    Args:
        out_dir: created if missing; other files in it stay as they are.
        contents: by file name or relative path; text is written as UTF-8.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    encoded = {name: content if isinstance(content, bytes) else content.encode() for name, content in contents.items()}
    listed = _written_before(out_dir) - set(encoded)
    publication.publish(out_dir, encoded, sorted(name for name in listed if _is_file_within(out_dir, name)))


def _is_file_within(out_dir: Path, name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and (out_dir / name).is_file()
