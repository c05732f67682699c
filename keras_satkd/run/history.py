"""`metrics.csv` of a run: one row per epoch of every phase."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from firmware_export.common import digests

FILE = "metrics.csv"


def read(path: Path) -> list[dict[str, str]]:
    """The rows as written; none if the file does not exist.

    Raises:
        UserError: the file is damaged.
    """
    digests.check(path)
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def of_phases(path: Path, phases: Sequence[str]) -> list[dict[str, str]]:
    """The rows of these phases."""
    return [row for row in read(path) if row["phase"] in phases]


def drop_phases(path: Path, phases: Sequence[str]) -> None:
    """Remove the rows of these phases."""
    if phases:
        write(path, [row for row in read(path) if row["phase"] not in phases])


def write(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write all rows. Columns that a phase does not have stay empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    digests.write_text(path, text.getvalue())


def hardware(epochs: Sequence[dict[str, str]], here: str) -> str:
    """Hardware of the epochs, each machine once; epochs without an entry ran on `here`."""
    return "; ".join(dict.fromkeys(row.get("hardware") or here for row in epochs))


def seconds(epochs: Sequence[dict[str, str]]) -> float:
    """Total time of the epochs."""
    return sum(float(row["seconds"]) for row in epochs)
