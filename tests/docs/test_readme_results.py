"""The README's figures are those of the shipped models' JSON."""

import json
import re

import pytest
from markdown_text import ROOT, fences, text

from keras_satkd import evaluate
from keras_satkd.models.pretrained import FOLDER

README = text(ROOT / "README.md")
ROWS = {
    "teacher EfficientNet-Lite0@128": "efficientnet_lite0_eurosat/teacher.json",
    "teacher EfficientViT-M2@128": "efficientvit_m2_eurosat/teacher.json",
    "teacher MobileViTV2-1.0@64": "mobilevitv2_100_eurosat/teacher.json",
    "ResNet8, float": "resnet8_eurosat.json",
    "**ResNet8, int8**": "resnet8_eurosat_int8.json",
    "ResNet16, float": "resnet16_eurosat.json",
    "**ResNet16, int8**": "resnet16_eurosat_int8.json",
}


def cells(beginning: str) -> list[str]:
    """The cells after the first of the table's row that begins so."""
    (row,) = [line for line in README.splitlines() if line.startswith(f"| {beginning}")]
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def described(file: str) -> dict:
    """What stands in `pretrained/`."""
    return json.loads((FOLDER / file).read_text())


@pytest.mark.parametrize(("beginning", "file"), ROWS.items(), ids=ROWS)
def test_scores(beginning, file):
    known = described(file)
    keys = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "ece")
    scores = [known["validation"]["accuracy"], *(known["test"][key] for key in keys)]
    assert cells(beginning)[:6] == [f"{100 * score:.2f}" for score in scores]


def hours(training: dict) -> float:
    """Of a training and of those that it went on from."""
    return training["hours"] + (hours(training["began_from"]) if "began_from" in training else 0)


@pytest.mark.parametrize(("beginning", "file"), ROWS.items(), ids=ROWS)
def test_hours(beginning, file):
    assert cells(beginning)[6] == f"{hours(described(file)):.2f}"


@pytest.mark.parametrize("name", ["resnet8", "resnet16"])
def test_robustness(name):
    found = described(f"{name}_eurosat_int8.json")["test"]["corruptions"]
    wanted = [" / ".join(f"{100 * accuracy:.1f}" for accuracy in accuracies) for accuracies in found.values()]
    beginning = {"resnet8": "ResNet8, int8 |", "resnet16": "ResNet16, int8 |"}[name]
    assert cells(beginning) == wanted


def test_images():
    images = described("resnet8_eurosat_int8.json")["images"]
    found = re.search(r"the archive's ([\d,]+) images ([\d,]+) trained, ([\d,]+) chose, ([\d,]+) tested", README)
    wanted = [sum(images.values()), images["train"], images["validation"], images["test"]]
    assert [int(number.replace(",", "")) for number in found.groups()] == wanted
    beginning, end = re.search(r"split SHA-256 `(\w+)…(\w+)`", README).groups()
    digest = described("resnet8_eurosat_int8.json")["split_sha256"]
    assert digest.startswith(beginning)
    assert digest.endswith(end)


def test_costs():
    known = described("resnet8_eurosat_int8.json")
    assert cells("ResNet8 |")[:3] == [f"{known[key]:,}" for key in ("parameters", "macs", "bytes")]
    known = described("resnet16_eurosat_int8.json")
    assert cells("ResNet16, with")[:2] == [f"{known[key]:,}" for key in ("parameters", "macs")]


def test_the_output_of_evaluate(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    (shown,) = [fence.text for fence in fences(README) if "on 4,860 images of EuroSAT_RGB.zip" in fence.text]
    name = "resnet8_eurosat_int8.tflite"
    test = described("resnet8_eurosat_int8.json")["test"]
    evaluate._print_tables({"model": name, "data": "EuroSAT_RGB.zip", "split": "test", **test})
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in shown.splitlines() if line not in printed] == []
