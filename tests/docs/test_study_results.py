"""What `docs/` and the README tell of the studies belongs to the teachers and settings that ship."""

import dataclasses
import json
from pathlib import Path

import pytest
from markdown_text import ROOT, text

from keras_satkd import comparison
from keras_satkd.config import load

FOLDERS = {"study": ROOT / "docs" / "study", "eurosat": ROOT / "docs" / "study_70_epochs"}
"""Where the results of each preset's study lie."""

README = " ".join(text(ROOT / "README.md").split())


def results(folder: Path) -> list[dict]:
    return json.loads((folder / comparison.RESULTS_FILE).read_text())["results"]


@pytest.mark.parametrize(("preset", "folder"), FOLDERS.items(), ids=FOLDERS)
def test_no_row_is_of_other_teachers_or_settings(preset, folder):
    common = load(preset)
    common = dataclasses.replace(common, data=dataclasses.replace(common.data, source="EuroSAT_RGB.zip"))
    assert comparison.read_results(folder / comparison.RESULTS_FILE, common) == results(folder)


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_the_tables_are_those_of_the_results(folder):
    assert comparison.table(results(folder)) == text(folder / "study.md")


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_the_readme_shows_the_first_table(folder):
    _, scores, *_ = comparison.table(results(folder)).split("\n\n")
    assert scores in text(ROOT / "README.md")


def mean(row: str, kind: str) -> float:
    """ResNet8's mean accuracy over the seeds at severity 1 of `kind`, or on clean images; per cent."""
    found = [each for each in results(FOLDERS["study"]) if (each["row"], each["student"]) == (row, "resnet8")]
    accuracies = [each["accuracy"] if kind == "clean" else each["corruptions"][kind][0] for each in found]
    return 100 * sum(accuracies) / len(accuracies)


def gains(kind: str) -> str:
    """What ResNet8 taught on clean images withstand more than the untaught at severity 1, as README says it."""
    on_clean_images = {
        found["row"]
        for found in results(FOLDERS["study"])
        if found["student"] == "resnet8" and "distillation.sensor_noise" not in found["settings"]
    }
    differences = [mean(row, kind) - mean("no teacher", kind) for row in on_clean_images - {"no teacher"}]
    return f"{min(differences):.1f} to {max(differences):.1f}"


def test_what_the_readme_says_of_corruptions():
    said = f"by {gains('jpeg')} points after JPEG at quality 80 and by {gains('motion_blur')} after a smear of 3 pixels"
    assert said in README


def test_what_the_readme_says_of_noise():
    clean, noisy = "both, calibrated confidence per sample", "both, calibrated confidence, noisy images"
    cost = mean(clean, "clean") - mean(noisy, "clean")
    before, after = mean(clean, "gaussian_noise"), mean(noisy, "gaussian_noise")
    assert f"costs {cost:.0f} points of clean images" in README
    assert f"the weakest noise from {before:.0f} to {after:.0f} %" in README
