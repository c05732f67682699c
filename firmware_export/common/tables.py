"""Tables for the terminal and for Markdown."""

from collections.abc import Sequence

from rich.table import Table

from firmware_export.common.templating import markdown_text


def terminal_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table whose first column wraps on a narrow terminal; the other columns, which hold numbers, never wrap."""
    table = Table()
    for heading in headings:
        first = heading == headings[0]
        table.add_column(heading, justify="left" if first else "right", no_wrap=not first, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in GitHub's Markdown: the first column is left-aligned, the others are right-aligned.

    Cells are text, in which only backticks have a meaning.
    """
    cells = [[markdown_text(cell, special="\\|[]") for cell in line] for line in (headings, *rows)]
    lines = [cells[0], ["---", *["---:"] * (len(headings) - 1)], *cells[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


BEGIN_MEASURED, END_MEASURED = "<!-- measured -->\n", "<!-- end of measured -->\n"
"""Markers in a page, around what a `renew.py` writes."""


def with_measured(page: str, measured: str) -> str:
    """A page's text with other text between its markers.

    Args:
        page: has both markers, each on a line.
        measured: Markdown.
    """
    before, _, rest = page.partition(BEGIN_MEASURED)
    return f"{before}{BEGIN_MEASURED}\n{measured}\n\n{END_MEASURED}{rest.partition(END_MEASURED)[2]}"
