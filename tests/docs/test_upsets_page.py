"""The upsets page shows what was measured, and its worked example is that of the formulas."""

import json

import pytest
from markdown_text import ROOT, text

from firmware_export.upsets.outcomes import ORDER
from firmware_export.upsets.rates import Exposure, Mission, rates

FOLDER = "upsets"
PAGE = text(ROOT / "docs" / "upsets.md")


def test_the_page_is_that_of_the_results(renew):
    assert renew.renewed(PAGE, renew.results()) == PAGE


def test_what_was_measured_is_replaced(renew):
    found = renew.results()
    other = json.loads(json.dumps(found))
    other["ResNet8"]["folders"][0]["images"] = 123_456
    page = renew.renewed(PAGE, other)
    assert "123456 images of EuroSAT" in page
    assert renew.renewed(page, found) == PAGE


def test_the_results_are_campaigns_of_both_engines(renew):
    for result in renew.results().values():
        regions = result["folders"][0]["regions"]
        assert {region["engine"] for region in regions} == {"row engine", "TFLM"}
        assert {"weights", "activations", "registers", "stack"} <= {region["region"] for region in regions}
        assert ("--samples", str(result["samples"]), "--slow-samples", str(result["slow_samples"])) == renew.SAMPLES
        assert result["folders"][0]["golden_vectors"] is False


def test_no_answer_is_wrong_by_control_state(renew):
    for result in renew.results().values():
        control = [
            region["outcomes"]
            for region in result["folders"][0]["regions"]
            if region["region"].startswith(("layer descriptors", "schedule", "control state"))
        ]
        assert len(control) == 5
        assert all(counts["wrong class"] == counts["outputs differ"] == 0 for counts in control)


def test_the_worked_example():
    mission = Mission(upsets_per_bit_day=1e-6, images_per_day=100, seconds_per_image=1)
    found = rates([Exposure(800_000, 0.005, is_always=True)], mission)
    assert found.with_period(0.1) == pytest.approx(7.305)
    assert "7.3 wrong\nanswers a year" in PAGE


def test_every_outcome_is_explained():
    assert [str(outcome) for outcome in ORDER if f"\n| {outcome} | " not in PAGE] == []
