"""The camera page's table is that of the results beside it, and the results are of the shipped model."""

import hashlib
import json

from markdown_text import ROOT, text

from firmware_export.common.tables import markdown_table
from keras_satkd.camera.suite import KINDS
from keras_satkd.evaluation.camera import table
from keras_satkd.models import pretrained

PAGE = text(ROOT / "docs" / "camera.md")
RESULTS = json.loads((ROOT / "docs" / "camera" / "resnet8_eurosat_int8.json").read_text())


def test_the_table_is_that_of_the_results():
    assert markdown_table(*table(RESULTS["camera"])) in PAGE


def test_the_results_are_those_of_the_shipped_model():
    model = pretrained.FOLDER / RESULTS["model"]
    described = json.loads(model.with_suffix(".json").read_text())
    assert described["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert RESULTS["camera"]["clean"] == described["test"]["accuracy"]
    assert RESULTS["images"] == described["images"]["test"]


def test_every_kind_is_there():
    measured = {name: tuple(kind["severities"]) for name, kind in RESULTS["camera"]["kinds"].items()}
    assert measured == {name: kind.severities for name, kind in KINDS.items()}


def test_the_losses_that_the_page_names():
    kinds, clean = RESULTS["camera"]["kinds"], RESULTS["camera"]["clean"]
    for name, severity, points in (("psf", 0.6, 17), ("jpeg", 90, 11), ("snr", 20, 47)):
        accuracy = kinds[name]["accuracy"][kinds[name]["severities"].index(severity)]
        assert round(100 * (clean - accuracy)) == points
