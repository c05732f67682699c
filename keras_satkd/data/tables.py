"""A table of texts from a CSV or Parquet file, and its columns by the names that people give them."""

import codecs
import csv
import io
import os
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_export.common.errors import UserError, unknown_name

CSV, PARQUET = (".csv", ".tsv"), (".parquet", ".pq")

_LONGEST = 100
"""Characters of a cell in a message."""

_DELIMITERS = ",;\t|"

# In a spreadsheet's "Unicode text", UTF-16 begins with one of these.
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        path: its file.
        columns: N texts by the name of the column, in the order of the file; an empty cell is an empty text.
        rows: N names of the rows for messages, such as `row 2`.
    """

    path: Path
    columns: dict[str, list[str]]
    rows: list[str]

    def find(self, option: str, name: str | None, usual: Sequence[str]) -> str | None:
        """The name of a column: the given one, or one that is usual; upper case, `_`, `-` and spaces do not matter.

        Args:
            option: the setting that names the column, for messages.
            name: as given by that setting; None: one of the usual names.
            usual: such as `filename`.

        Returns:
            None if no name is given and no column has a usual name.

        Raises:
            UserError: there is no column of the given name, or there are several of usual names.
        """
        if name is not None:
            if name not in self.columns:
                raise unknown_name(f"column of {self.path} in {option}", name, self.columns)
            return name
        found = [column for column in self.columns if plain(column) in usual]
        if len(found) > 1:
            raise UserError(f"{self.path} has columns {' and '.join(map(repr, found))}: choose one with {option}")
        return found[0] if found else None


def is_table(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a table by its ending."""
    return os.fspath(path).lower().endswith(CSV + PARQUET)


def read(path: Path) -> Table:
    """Read a table. In CSV, the first line with text names the columns; its separator is `,`, `;`, `|` or a tab.

    Raises:
        UserError: the file cannot be read, has no rows, or a column has no name or the name of another one.
    """
    try:
        columns, rows = _parquet(path) if path.suffix.lower() in PARQUET else _csv(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    # A column without a name and without a purpose is common: pandas writes its index so.
    columns = {name: values for name, values in columns.items() if name}
    if not rows or not columns:
        raise UserError(f"{path} has no rows: give a table with a row for each image, and the columns' names above")
    return Table(path, columns, rows)


def _csv(path: Path) -> tuple[dict[str, list[str]], list[str]]:
    content = path.read_bytes()
    try:
        text = content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8") from None
    heading = next((line for line in text.splitlines() if line.strip(_DELIMITERS + '"' + string.whitespace)), "")
    delimiter = max(_DELIMITERS, key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    lines: list[list[str]] = []
    rows: list[str] = []
    names: list[str] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not names:
                names = cells
                continue
            if len(cells) != len(names):
                raise UserError(
                    f"{path} has {len(cells)} cells in line {reader.line_num}, {len(names)} expected: separate the "
                    f"cells by {delimiter!r}, and put texts that contain it in quotes"
                )
            lines.append(cells)
            rows.append(f"line {reader.line_num}")
    except csv.Error as error:
        raise UserError(f"{path} is not CSV (line {reader.line_num}: {error}): save it again") from None
    _check_names(path, names)
    return {name: [cells[at] for cells in lines] for at, name in enumerate(names)}, rows


def _parquet(path: Path) -> tuple[dict[str, list[str]], list[str]]:
    import pyarrow
    from pyarrow import parquet

    try:
        found = parquet.read_table(path)
    except (pyarrow.ArrowException, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} is not a readable Parquet file ({reason}): save it again") from None
    # Others, such as images inside the table, are neither names nor numbers.
    kept = [at for at, field in enumerate(found.schema) if not _is_nested_or_bytes(field.type)]
    names = [str(found.column_names[at]).strip() for at in kept]
    _check_names(path, names)
    columns = {
        name: [_text(value) for value in found.column(at).to_pylist()] for at, name in zip(kept, names, strict=True)
    }
    return columns, [f"row {at}" for at in range(found.num_rows)]


def _is_nested_or_bytes(kind: Any) -> bool:
    from pyarrow import types

    return any(is_(kind) for is_ in (types.is_nested, types.is_binary, types.is_large_binary))


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    # pandas makes floats of whole numbers if one is missing.
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def _check_names(path: Path, names: Sequence[str]) -> None:
    twice = [name for at, name in enumerate(names) if name and name in names[:at]]
    if twice:
        raise UserError(f"{path} has two columns {twice[0]!r}: rename one")


def plain(name: str) -> str:
    """A column's name in lower case, without spaces, `_` and `-`."""
    return re.sub(r"[\s_-]", "", name).lower()


def first(problems: Mapping[str, str], noun: str) -> str:
    """`noun` with the first of these problems, by row: `2 files do not exist, the first is a.png in line 3`."""
    row, problem = next(iter(problems.items()))
    where = f"{problem[:_LONGEST]!r} in {row}"
    return f"{len(problems)} {noun}, the first is {where}" if len(problems) > 1 else where
