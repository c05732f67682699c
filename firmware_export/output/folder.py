"""An exported folder: which files in it are the export's, their digests, and their replacement."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.common.files import as_json, encoded, read_text
from firmware_export.output import publication

REPORT_FILE = "export.json"
"""Lists, under `files`, the files that an export has written, and under `digests` the SHA-256 of each."""

DIGESTS = "digests"

OWN_DIGEST = "report_sha256"
"""Key in the report: SHA-256 of the JSON text without this key."""


def sealed(report: Mapping[str, Any]) -> str:
    """The text of a report, with its own digest under `OWN_DIGEST`."""
    content = {key: value for key, value in report.items() if key != OWN_DIGEST}
    return as_json({**content, OWN_DIGEST: hashlib.sha256(as_json(content).encode()).hexdigest()})


def read_report(out_dir: Path) -> dict[str, Any]:
    """The content of `export.json`. One without digests, of an earlier version, passes.

    Raises:
        FileNotFoundError: there is none.
        UserError: it is damaged.
    """
    path = out_dir / REPORT_FILE
    try:
        report = json.loads(read_text(path))
        if not isinstance(report, dict) or not isinstance(report.get(DIGESTS, {}), dict):
            raise ValueError("no report of an export")
        is_whole = OWN_DIGEST not in report or json.loads(sealed(report))[OWN_DIGEST] == report[OWN_DIGEST]
    except (ValueError, RecursionError) as error:
        raise UserError(f"{str(path)!r} is not readable ({error}): export the model again") from error
    # The second condition: damage to one of these two names.
    if not is_whole or (DIGESTS in report) != (OWN_DIGEST in report):
        raise UserError(f"{str(path)!r} is damaged (its SHA-256 is not {OWN_DIGEST} in it): export the model again")
    return report


def damaged(out_dir: Path, report: Mapping[str, Any]) -> list[str]:
    """Names of the files in a folder that differ from the digests in its report. Missing files are left out."""
    listed: Mapping[str, str] = report.get(DIGESTS, {})
    return [name for name in listed if _is_file_within(out_dir, name) and digests.of(out_dir / name) != listed[name]]


def read_whole(out_dir: Path) -> dict[str, Any]:
    """The content of `export.json`, if neither it nor another file of the export is damaged.

    Raises:
        FileNotFoundError: there is no `export.json`.
        UserError: a file is damaged; the message names it.
    """
    report = read_report(out_dir)
    if found := damaged(out_dir, report):
        raise UserError(
            f"{str(out_dir)!r} has damaged or edited files ({_listed(found)}: the SHA-256 is not the one in "
            f"{REPORT_FILE}): export the model again"
        )
    return report


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


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
        raise UserError(
            f"{out_dir} contains files that this tool did not write ({_listed(foreign)}): give another --out, or "
            "--force to overwrite them"
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
    found = {name: each if isinstance(each, bytes) else encoded(each, name) for name, each in contents.items()}
    listed = _written_before(out_dir) - set(found)
    publication.publish(out_dir, found, sorted(name for name in listed if _is_file_within(out_dir, name)))


def _is_file_within(out_dir: Path, name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and (out_dir / name).is_file()
