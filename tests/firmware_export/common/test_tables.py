import io

from rich.console import Console

from firmware_export.common.tables import END_MEASURED, markdown_table, terminal_table, with_measured

HEADINGS = ["class", "images", "recall %"]
ROWS = [["PermanentCrop", "2,500", "97.40"], ["River", "9", "100.00"]]


def printed(width: int) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(terminal_table(HEADINGS, ROWS))
    return stream.getvalue()


def test_markdown_aligns_names_left_and_numbers_right():
    assert markdown_table(HEADINGS, ROWS).splitlines() == [
        "| class | images | recall % |",
        "| --- | ---: | ---: |",
        "| PermanentCrop | 2,500 | 97.40 |",
        "| River | 9 | 100.00 |",
    ]


def test_markdown_without_rows_is_a_heading():
    assert len(markdown_table(HEADINGS, []).splitlines()) == 2


def test_terminal_shows_every_cell():
    shown = printed(80)
    assert all(cell in shown for line in (HEADINGS, *ROWS) for cell in line)


def test_narrow_terminal_folds_names_and_never_numbers():
    shown = printed(34)
    assert "PermanentCrop" not in shown
    assert all(number in shown for row in ROWS for number in row[1:])


def test_what_was_measured_is_replaced():
    page = f"above\n<!-- measured -->\n\nold\n\n{END_MEASURED}below\n"
    assert with_measured(page, "new") == page.replace("old", "new")
    assert with_measured(with_measured(page, "new"), "old") == page
