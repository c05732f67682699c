"""The table of trials is that of the results, and the results are of the trials that the script runs."""

import json

import pytest
from markdown_text import ROOT, text

from keras_satkd.camera.suite import KINDS

PAGE = text(ROOT / "docs/camera.md")


@pytest.fixture(scope="module")
def trials(docs_module):
    """`docs/camera/trials.py`."""
    return docs_module("trials", "docs/camera")


def test_the_table_is_that_of_the_results(trials):
    found = trials.results()
    assert trials.page(PAGE, found) == PAGE
    other = json.loads(json.dumps(found))
    next(iter(other.values()))["camera"]["clean"] = 0.1234
    assert "| 12.3 |" in trials.page(PAGE, other)


def test_every_trial_has_a_result_of_its_settings(trials):
    found = trials.results()
    assert {name: result["settings"] for name, result in found.items()} == trials.TRIALS
    for result in found.values():
        measured = {name: tuple(kind["severities"]) for name, kind in result["camera"]["kinds"].items()}
        assert measured == {name: kind.severities for name, kind in KINDS.items()}
