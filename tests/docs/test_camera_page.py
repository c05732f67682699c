"""The tables of the camera page and of README are those of the results, and the results are of the shipped models."""

import hashlib
import json

from markdown_text import ROOT, text

from keras_satkd.camera.suite import KINDS
from keras_satkd.models import pretrained

FOLDER = "camera"
PAGE, BOARD, README = (text(ROOT / page) for page in ("docs/camera.md", "docs/board.md", "README.md"))


def test_the_tables_are_those_of_the_results(renew):
    found = renew.results()
    assert renew.page(PAGE, found) == PAGE
    assert renew.board(BOARD, found) == BOARD
    assert renew.readme(README, found) == README


def test_what_was_measured_is_replaced(renew):
    found = renew.results()
    other = json.loads(json.dumps(found))
    other["ResNet8"]["camera"]["clean"] = 0.1234
    other["ResNet8"]["risk"]["threshold"] = 12.3
    for write, current in ((renew.page, PAGE), (renew.board, BOARD), (renew.readme, README)):
        changed = write(current, other)
        assert "| 12.3 |" in changed
        assert write(changed, found) == current


def test_the_results_are_those_of_the_shipped_models(renew):
    for result in renew.results().values():
        model = pretrained.FOLDER / result["model"]
        described = json.loads(model.with_suffix(".json").read_text())
        assert described["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
        assert result["camera"]["clean"] == described["test"]["accuracy"]
        assert result["images"] == described["images"]["test"]


def test_every_kind_is_there(renew):
    for result in renew.results().values():
        measured = {name: tuple(kind["severities"]) for name, kind in result["camera"]["kinds"].items()}
        assert measured == {name: kind.severities for name, kind in KINDS.items()}
