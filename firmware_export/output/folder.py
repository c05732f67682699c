"""Write a folder of generated files atomically."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from firmware_export.common.errors import UserError
from firmware_export.common.files import read_text, sync_folder, write_bytes

REPORT_FILE = "export.json"
"""Lists, under `files`, the files that an export has written."""


def check(out_dir: Path) -> None:
    """Refuse a path that cannot be a folder.

    Raises:
        UserError: `out_dir` is a file.
    """
    if out_dir.exists() and not out_dir.is_dir():
        raise UserError(f"{out_dir} is a file, a folder expected: give another --out")


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


def publish(out_dir: Path, contents: Mapping[str, str | bytes]) -> None:
    """Write all files or none: into a temporary folder first, then moved; on failure, the old files are moved back.

    Files of an earlier export that this one does not write are removed: they may belong to another model, and some
    build systems compile every source file in a folder.

    Args:
        out_dir: created if missing; other files in it stay as they are.
        contents: by file name or relative path; text is written as UTF-8.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    # An existing folder may be a mount point, which renames cannot cross, so the stage must be inside it.
    stage = Path(tempfile.mkdtemp(dir=out_dir if out_dir.is_dir() else out_dir.parent, prefix=".firmware_export-"))
    try:
        new, old = stage / "new", stage / "old"
        new.mkdir()
        old.mkdir()
        for name, content in contents.items():
            write_bytes(new / name, content if isinstance(content, bytes) else content.encode())
        if out_dir.is_dir():
            _exchange(out_dir, new, old)
        else:
            new.replace(out_dir)
        for folder in {out_dir.parent, *((out_dir / name).parent for name in contents)}:
            sync_folder(folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _exchange(out_dir: Path, new: Path, old: Path) -> None:
    names = sorted(str(path.relative_to(new)) for path in new.rglob("*") if path.is_file())
    stale = sorted(name for name in _written_before(out_dir) - set(names) if _is_file_within(out_dir, name))
    try:
        for name in stale:
            (old / name).parent.mkdir(parents=True, exist_ok=True)
            (out_dir / name).replace(old / name)
        for name in names:
            for folder in (out_dir, old):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if (out_dir / name).exists():
                (out_dir / name).replace(old / name)
            (new / name).replace(out_dir / name)
    except OSError:
        for name in names:
            if not (new / name).exists():
                (out_dir / name).unlink(missing_ok=True)
        for name in (*names, *stale):
            if (old / name).exists():
                (old / name).replace(out_dir / name)
        raise
    for name in stale:
        if (parent := (out_dir / name).parent) != out_dir:
            with suppress(OSError):  # other files are in it
                parent.rmdir()


def _is_file_within(out_dir: Path, name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and (out_dir / name).is_file()
