import dataclasses
import doctest

from firmware_export.upsets import tables
from firmware_export.upsets.outcomes import Outcome
from firmware_export.upsets.rates import Mission


def test_doctests():
    assert doctest.testmod(tables).failed == 0


def test_by_region(result):
    table = tables.by_region(result.regions, "row engine")
    assert [row[0] for row in table.rows] == [each.name for each in result.regions if each.engine == "row engine"]
    assert all(len(row) == len(table.headings) for row in table.rows)
    assert tables.by_region(result.regions, "TFLM").rows[-1][0].endswith(" *")


def test_by_layer_and_by_bit(result):
    layers, bits = tables.by_layer(result, "row engine"), tables.by_bit(result, "row engine")
    assert [row[0] for row in bits.rows] == [str(bit) for bit in reversed(range(8))]
    position = bits.headings.index("weights")
    counted = [tuple(map(int, row[position].split(" of "))) for row in bits.rows]
    weights = next(region.tally for region in result.regions if region.name == "weights")
    assert tuple(map(sum, zip(*counted, strict=True))) == (weights.counts[Outcome.WRONG], weights.injections)
    numbered = [int(row[0].partition(":")[0]) for row in layers.rows if row[0][0].isdigit()]
    assert numbered == sorted(numbered)


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
