"""The figures of README and of `docs/results.md` are those of the shipped models' JSON and of shown outputs."""

import json
import re

import pytest
from markdown_text import ROOT, fences, text

from keras_satkd import evaluate
from keras_satkd.models.pretrained import FOLDER

README = text(ROOT / "README.md")
PAGE = text(ROOT / "docs" / "results.md")
ROWS = {
    "teacher EfficientNet-Lite0@128": "efficientnet_lite0_eurosat/teacher.json",
    "teacher EfficientNet-Lite0 through cameras": "efficientnet_lite0_camera/teacher.json",
    "teacher EfficientViT-M2@128": "efficientvit_m2_eurosat/teacher.json",
    "teacher MobileViTV2-1.0@64": "mobilevitv2_100_eurosat/teacher.json",
    "ResNet8, float": "resnet8_eurosat.json",
    "**ResNet8, int8**": "resnet8_eurosat_int8.json",
    "ResNet16, float": "resnet16_eurosat.json",
    "**ResNet16, int8**": "resnet16_eurosat_int8.json",
}


def cells(beginning: str, page: str = PAGE) -> list[str]:
    """The cells after the first of the table's row that begins so."""
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {beginning}")]
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
    parts = r"([\d,]+) training, ([\d,]+) validation, and ([\d,]+) test images"
    found = re.search(r"The ([\d,]+) images are split into " + parts, in_one_line(PAGE))
    wanted = [images["train"], images["validation"], images["test"]]
    assert numbers(found) == [sum(wanted), *wanted]
    found = re.search(r"([\d,]+) for training, ([\d,]+) for validation, ([\d,]+) for testing", in_one_line(README))
    assert numbers(found) == wanted
    beginning, end = re.search(r"split SHA-256 `(\w+)…(\w+)`", in_one_line(PAGE)).groups()
    digest = described("resnet8_eurosat_int8.json")["split_sha256"]
    assert digest.startswith(beginning)
    assert digest.endswith(end)


def in_one_line(page: str) -> str:
    return " ".join(page.split())


def numbers(found: re.Match) -> list[int]:
    return [int(number.replace(",", "")) for number in found.groups()]


def exported(page: str) -> list[int]:
    """Of the only shown output of an export: flash, arena, arena with margin, RAM of the row engine on Cortex-M4.

    `test_commands` compares the output with what the command prints.
    """
    (shown,) = [fence.text for fence in fences(page) if "flash, model" in fence.text]
    flash = r"flash, model +([\d,]+) bytes.*"
    arena = r"arena +([\d,]+) bytes found, ([\d,]+) with margin.*"
    return numbers(re.search(flash + arena + r"of RAM \(([\d,]+) on M4", shown, re.DOTALL))


@pytest.mark.parametrize(
    ("beginning", "file", "shown_in"),
    [("ResNet8 |", "resnet8_eurosat_int8.json", README), ("ResNet16, with", "resnet16_eurosat_int8.json", PAGE)],
    ids=["resnet8", "resnet16"],
)
def test_costs(beginning, file, shown_in):
    known, (flash, arena, with_margin, _) = described(file), exported(shown_in)
    wanted = [known["parameters"], known["macs"], flash, arena, with_margin]
    assert cells(beginning) == [f"{number:,}" for number in wanted]
    # The export adds a memory plan to ResNet16.
    assert 0 <= flash - known["bytes"] < 1024


@pytest.mark.parametrize(
    ("beginning", "file", "shown_in"),
    [("ResNet8 |", "resnet8_eurosat_int8.json", README), ("ResNet16 |", "resnet16_eurosat_int8.json", PAGE)],
    ids=["resnet8", "resnet16"],
)
def test_the_table_of_the_readme(beginning, file, shown_in):
    known, (flash, arena, _, rows) = described(file), exported(shown_in)
    wanted = [f"{number:,}" for number in (known["parameters"], known["macs"], flash, arena, rows)]
    assert cells(beginning, README) == [f"{100 * known['test']['accuracy']:.2f}", *wanted]


def test_the_first_screen_of_the_readme():
    known, (flash, arena, _, rows) = described("resnet8_eurosat_int8.json"), exported(README)
    screen = "\n".join(README.splitlines()[:12])
    assert f"**{100 * known['test']['accuracy']:.2f} %** accuracy" in screen
    assert f"**{flash:,} bytes** of model in flash" in screen
    assert f"**{rows:,} bytes** of RAM on a Cortex-M4 with our row engine ({arena:,} bytes with TFLM)" in screen


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 160


def test_the_output_of_evaluate(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    (shown,) = [fence.text for fence in fences(PAGE) if "on 4,860 images of EuroSAT_RGB.zip" in fence.text]
    name = "resnet8_eurosat_int8.tflite"
    test = described("resnet8_eurosat_int8.json")["test"]
    evaluate._print_tables({"model": name, "data": "EuroSAT_RGB.zip", "split": "test", **test})
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in shown.splitlines() if line not in printed] == []
