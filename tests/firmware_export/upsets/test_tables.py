import dataclasses
import doctest

import pytest

from firmware_export.upsets import tables
from firmware_export.upsets.outcomes import Found, Outcome, Tally
from firmware_export.upsets.rates import Mission


def test_doctests():
    assert doctest.testmod(tables).failed == 0


def test_by_region(result):
    table = tables.by_region(result.regions, "row engine")
    assert [row[0] for row in table.rows] == [each.name for each in result.regions if each.engine == "row engine"]
    assert all(len(row) == len(table.headings) for row in table.rows)
    assert [row[0] for row in tables.by_region(result.regions, "TFLM").rows if row[0].endswith(" *")] == [
        "model: graph, before preparation *"
    ]


@pytest.fixture
def with_wrong_answers(result):
    """Half of the flips of weights' sign bits, all of them in layer 10, of 2 and 10."""
    wrong, masked = (Found(outcome, by_scrub=True) for outcome in (Outcome.WRONG, Outcome.MASKED))
    bits = {f"{bit} of 8": Tally.of([wrong, masked] if bit == 7 else [masked]) for bit in range(8)}
    layers = {"10: ADD": Tally.of([wrong, *[masked] * 3]), "2: CONV_2D": Tally.of([masked] * 5)}
    return dataclasses.replace(result, layers={"weights": layers}, bits={"weights": bits})


def test_by_layer(with_wrong_answers):
    table = tables.by_layer(with_wrong_answers, "row engine")
    assert table.headings == ("layer", "weights")
    assert table.rows == (("2: CONV_2D", "0 of 5"), ("10: ADD", "1 of 4"))


def test_by_bit(with_wrong_answers):
    table = tables.by_bit(with_wrong_answers, "row engine")
    assert table.headings == ("bit", "weights")
    assert table.rows == (("7", "1 of 2"), *((str(bit), "0 of 1") for bit in reversed(range(7))))


def test_nothing_wrong_gives_no_table(result):
    regions = tuple(region for region in result.regions if region.name == "schedule")
    quiet = dataclasses.replace(result, regions=regions)
    assert tables.by_layer(quiet, "row engine") is tables.by_bit(quiet, "row engine") is None


def test_comparison(result):
    other = dataclasses.replace(result, name="other", prices={"rows_ram": 12_345})
    mission = Mission(1e-7, 1000, 1, bound=0.01)
    table = tables.comparison([result, other], mission)
    assert table.headings == ("", "firmware", "other")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["row engine, bytes of RAM"] == (f"{result.prices['rows_ram']:,}", "12,345")
    assert rows["TFLM, bytes of arena"][1] == "–"
    assert "row engine: scrub period for ≤ 0.01 wrong answers a year" in rows
    assert not any("a year" in row[0] for row in tables.comparison([result], None).rows)
