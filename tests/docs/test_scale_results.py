"""The tables of docs/many_machines.md are those that `make bench-scale` wrote to docs/scale/results.json."""

import json

import scale_tables
from markdown_text import ROOT

RESULTS = json.loads((ROOT / "docs" / "scale" / "results.json").read_text())


def test_the_tables_are_of_the_results():
    page = (ROOT / "docs" / "many_machines.md").read_text(encoding="utf-8")
    shown = page.partition(scale_tables.BEGIN)[2].partition(scale_tables.END)[0]
    assert shown.strip().splitlines() == scale_tables.lines(RESULTS)


def test_memory_grows_by_what_is_held_of_each_image_alone():
    """1 KB of it is for near duplicates, which are looked for in sets of at most 200,000 images."""
    few, *_, many = RESULTS["memory"]
    images = 1000 * (many["thousand_tiles"] - few["thousand_tiles"])
    assert (many["peak_mib"] - few["peak_mib"]) * 2**20 / images < 1200
