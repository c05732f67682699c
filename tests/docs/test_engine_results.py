"""The figures of `docs/row_engine.md` are those that `make bench-engine` wrote to `docs/engine/results.json`."""

import json

import pytest
from markdown_text import ROOT, text

PAGE = text(ROOT / "docs" / "row_engine.md")
RESULTS = {
    (found["engine"], found["model"], found["core"]): found
    for found in json.loads((ROOT / "docs" / "engine" / "results.json").read_text())["results"]
}
ROWS = {
    "shipped, 58.4 M MACs": ("rows", "resnet8_eurosat"),
    "1×1 shortcuts, 50.0 M MACs": ("rows", "resnet8_pointwise"),
    "the same, with a pool and a convolution at the end": ("rows", "resnet8_pointwise_average_pool"),
    "the same in bakenn 1.0.0": ("bakenn 1.0.0", "resnet8_pointwise_average_pool"),
    "the same in bakenn 1.0.0 + CMSIS-NN": ("bakenn 1.0.0 + CMSIS-NN", "resnet8_pointwise_average_pool"),
}
"""Engine and model, by the first cell of a row of the page; the rows that are quoted are not the bench's."""


def measured() -> list[tuple[str, list[str]]]:
    """First cell (that of the row above where it is empty) and the other cells of each row of the table."""
    table = PAGE.partition("## Measured")[2].partition("\n|---")[2].partition("\n\n")[0]
    rows, name = [], ""
    for line in table.splitlines()[1:]:
        first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        name = first or name
        rows.append((name, cells))
    return rows


MEASURED = [row for row in measured() if "quoted" not in row[0]]


def as_shown(found: dict) -> list[str]:
    """RAM, flash and millions of instructions."""
    return [f"{found['working_bytes']:,}", f"{found['flash_bytes']:,}", f"{found['instructions'] / 1e6:.1f}"]


@pytest.mark.parametrize(("name", "cells"), MEASURED, ids=lambda value: value if isinstance(value, str) else value[0])
def test_a_row(name, cells):
    core, *numbers, stack = cells
    found = RESULTS[(*ROWS[name], core.lower())]
    assert numbers == as_shown(found)
    assert stack == f"{found['stack_bytes']} ({found['stack_bound_bytes']})"
    assert found["wrong_outputs"] == 0
    macs = f"{found['macs'] / 1e6:.1f} M MACs"
    assert "MACs" not in name or macs in name


def test_every_row_is_known():
    assert {name for name, _ in MEASURED} == set(ROWS)


def test_the_first_table():
    cores = ("cortex-m4", "cortex-m7", "cortex-m55")
    columns = [as_shown(RESULTS[("rows", "resnet8_eurosat", core)]) for core in cores]
    for name, values in zip(("RAM, bytes", "flash, bytes", "M instructions"), zip(*columns, strict=True), strict=True):
        assert f"| {name} | {' | '.join(values)} |" in PAGE
