"""What `docs/` and the README tell of the studies belongs to the teachers and settings that ship."""

import dataclasses
import json
from pathlib import Path

import numpy as np
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


def accuracies(row: str, kind: str) -> dict[int, float]:
    """Of ResNet8 by seed, at severity 1 of `kind` or on clean images; per cent."""
    return {
        found["seed"]: 100 * (found["accuracy"] if kind == "clean" else found["corruptions"][kind][0])
        for found in results(FOLDERS["study"])
        if (found["row"], found["student"]) == (row, "resnet8")
    }


def gain(row: str, over: str, kind: str) -> float:
    """By how many points `row` is ahead of the row `over`, in the mean of the seeds that both have."""
    ahead, behind = accuracies(row, kind), accuracies(over, kind)
    return float(np.mean([ahead[seed] - behind[seed] for seed in ahead.keys() & behind.keys()]))


def gains(kind: str, sign: int = 1) -> str:
    """What ResNet8 taught on clean images is ahead of the untaught by, or behind it (-1), as README says it."""
    on_clean_images = {
        found["row"]
        for found in results(FOLDERS["study"])
        if found["student"] == "resnet8" and "distillation.sensor_noise" not in found["settings"]
    }
    differences = [sign * gain(row, "no teacher", kind) for row in on_clean_images - {"no teacher"}]
    return f"{min(differences):z.1f} to {max(differences):z.1f}"


def test_what_the_readme_says_of_clean_images():
    assert f"behind the untaught one by {gains('clean', -1)} points" in README


def test_what_the_readme_says_of_corruptions():
    said = f"by {gains('jpeg')} points after JPEG at quality 80 and by {gains('motion_blur')} after a smear of 3 pixels"
    assert said in README


def test_what_the_readme_says_of_noise():
    clean, noisy = "both, calibrated confidence per sample", "both, calibrated confidence, noisy images"
    assert f"costs {gain(clean, noisy, 'clean'):.0f} points of clean images" in README
    before, after = (np.mean([*accuracies(row, "gaussian_noise").values()]) for row in (clean, noisy))
    assert f"the weakest noise from {before:.0f} to {after:.0f} %" in README
