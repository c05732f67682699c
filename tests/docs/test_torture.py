"""The table of `docs/torture.md` is that of the results, and everything held."""

import json
import re

import torture
from markdown_text import ROOT, text

RESULTS = json.loads(torture.RESULTS.read_text(encoding="utf-8"))
PAGE = text(torture.PAGE)


def test_the_table_has_the_results():
    assert torture.table(RESULTS) in PAGE


def test_everything_held():
    assert torture.faults(RESULTS) == []
    assert all(found["kills"] > 0 for found in RESULTS["kills"].values())


def test_it_ends_within_twenty_minutes():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "timeout 1200 $(BIN)/python tests/torture.py" in makefile
    seconds = sum(seconds for _, seconds in torture.KILLS.values()) + torture.FLIP_SECONDS + torture.FUZZ_SECONDS
    assert seconds < 900  # the rest is for starts, ends and bombs


def test_the_page_names_tests_that_exist():
    named = re.findall(r"`(tests/[\w/]+\.py)", PAGE)
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []
