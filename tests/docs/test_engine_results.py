"""The figures of `docs/row_engine.md` are those that `make bench-engine` wrote to `docs/engine/results.json`."""

import json
import re

import engine_docs
import pytest
from markdown_text import ROOT, text

PAGE = text(ROOT / "docs" / "row_engine.md")
RESULTS = {
    (found["engine"], found["model"], found["core"]): found
    for found in json.loads((ROOT / "docs" / "engine" / "results.json").read_text())["results"]
}


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


@pytest.mark.parametrize(("name", "cells"), MEASURED, ids=lambda value: value if isinstance(value, str) else value[0])
def test_a_row(name, cells):
    core, *numbers, stack = cells
    found = RESULTS[(*engine_docs.ROWS[name], core.lower())]
    assert numbers == engine_docs.figures(found)
    assert stack == f"{found['stack_bytes']} ({found['stack_bound_bytes']})"
    assert found["wrong_outputs"] == 0
    macs = f"{found['macs'] / 1e6:.1f} M MACs"
    assert "MACs" not in name or macs in name


def test_every_row_is_known():
    assert {name for name, _ in MEASURED} == set(engine_docs.ROWS)


def test_the_first_table():
    cores = ("cortex-m4", "cortex-m7", "cortex-m55")
    columns = [engine_docs.figures(RESULTS[("rows", "resnet8_eurosat", core)]) for core in cores]
    for name, values in zip(engine_docs.NAMES, zip(*columns, strict=True), strict=True):
        assert f"| {name} | {' | '.join(values)} |" in PAGE


def test_figures_are_written_where_they_belong(tmp_path):
    page = tmp_path / "row_engine.md"
    page.write_text(re.sub(r"\d[\d,.]*(?= \|)", "0", PAGE), encoding="utf-8")
    quoted = [line for line in page.read_text(encoding="utf-8").splitlines() if "*quoted*" in line]
    engine_docs.renew({"results": list(RESULTS.values())}, page)
    renewed = page.read_text(encoding="utf-8")
    assert "| M instructions | 0 |" not in renewed
    assert all(line in renewed for line in quoted)
    engine_docs.renew({"results": list(RESULTS.values())}, page)
    assert page.read_text(encoding="utf-8") == renewed
