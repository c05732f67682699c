"""A folder of generated files that appears whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from firmware_export.errors import UserError
from firmware_export.files import write_bytes


def check(out_dir: Path) -> None:
    """Refuse what can be no folder.

    Raises:
        UserError: `out_dir` is a file.
    """
    if out_dir.exists() and not out_dir.is_dir():
        raise UserError(f"{out_dir} is a file, a folder expected: give another --out")


def publish(out_dir: Path, contents: Mapping[str, str | bytes]) -> None:
    """Write all files or none: aside first, then moved in; on failure what was there is moved back.

    Args:
        out_dir: made if it is not there; other files in it are left alone.
        contents: by file name; text is written as UTF-8.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    # Beside a new folder, but inside an existing one: that may be a mount point, which renames cannot cross.
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
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _exchange(out_dir: Path, new: Path, old: Path) -> None:
    names = sorted(os.listdir(new))
    try:
        for name in names:
            if (out_dir / name).exists():
                (out_dir / name).replace(old / name)
            (new / name).replace(out_dir / name)
    except OSError:
        for name in names:
            if not (new / name).exists():
                (out_dir / name).unlink(missing_ok=True)
            if (old / name).exists():
                (old / name).replace(out_dir / name)
        raise
