"""The drift page shows what was measured, and the results beside it are of the shipped model."""

import json

from markdown_text import ROOT, text

from firmware_export.drift import statistics
from keras_satkd.evaluation.drift import kinds_of
from keras_satkd.models import pretrained

FOLDER = "drift"
PAGE = text(ROOT / "docs" / "drift.md")


def test_the_page_is_that_of_the_results(renew):
    assert renew.renewed(PAGE, *renew.results()) == PAGE


def test_what_was_measured_is_replaced(renew):
    archive, healthy = renew.results()
    other = json.loads(json.dumps(archive))
    other["drift"]["images"] = 123_456
    page = renew.renewed(PAGE, other, healthy)
    assert "123,456 test images" in page
    assert renew.renewed(page, archive, healthy) == PAGE


def test_the_results_are_those_of_the_shipped_model(renew):
    described = json.loads((pretrained.FOLDER / "resnet8_eurosat_int8.json").read_text())
    archive, healthy = renew.results()
    assert archive["accuracy"] == healthy["accuracy"] == described["test"]["accuracy"]
    assert archive["images"] == archive["drift"]["images"] == described["images"]["test"]
    assert healthy["model"] == archive["model"] == "resnet8_eurosat_int8.tflite"
    assert healthy["behind"]["sensor"] == "healthy"
    for found in (archive["drift"], healthy["drift"]):
        measured = {name: tuple(kind["severities"]) for name, kind in found["kinds"].items()}
        assert measured == {name: kind.severities for name, kind in kinds_of(3).items()}


def test_false_alarms_are_as_seldom_as_the_page_promises(renew):
    for found in renew.results():
        assert found["drift"]["false_alarms"]["mixed"] <= found["drift"]["false_alarm_rate"]
        assert found["drift"]["false_alarms"]["one_class"] <= 2 * found["drift"]["false_alarm_rate"]


def test_every_statistic_is_explained():
    assert [name for name in statistics.meanings(3) if f"`{name}`" not in PAGE and not name.startswith("band")] == []
    assert f"{statistics.LARGEST_IMAGE:,} values" in PAGE
