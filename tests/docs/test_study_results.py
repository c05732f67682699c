"""What README and `docs/distillation_study.md` say of the studies: figures, shipped teachers, settings."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from markdown_text import ROOT, text

from keras_satkd.config_io import load
from keras_satkd.study import results
from keras_satkd.study.rows import ROWS, STUDENT_SEEDS, Plan

FOLDERS = {
    "study": ROOT / "docs" / "study",
    "eurosat": ROOT / "docs" / "study_70_epochs",
    "eurosat_long": ROOT / "docs" / "study_200_epochs",
}
"""Where the results of each preset's study lie."""

PAGE = text(ROOT / "docs" / "distillation_study.md")
SAID = " ".join(PAGE.split())
README = " ".join(text(ROOT / "README.md").split())


def found_in(folder: Path) -> list[dict]:
    return json.loads((folder / results.RESULTS_FILE).read_text())["results"]


@pytest.mark.parametrize(("preset", "folder"), FOLDERS.items(), ids=FOLDERS)
def test_no_row_is_of_other_teachers_or_settings(preset, folder):
    common = load(preset)
    common = dataclasses.replace(common, data=dataclasses.replace(common.data, source="EuroSAT_RGB.zip"))
    assert results.read_results(folder / results.RESULTS_FILE, Plan(common)) == found_in(folder)


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_the_tables_are_those_of_the_results(folder):
    assert results.table(found_in(folder), {}) == text(folder / "study.md")


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_the_page_shows_the_first_table(folder):
    _, scores, *_ = results.table(found_in(folder), {}).split("\n\n")
    assert scores in PAGE


def accuracy(row: str, kind: str, student: str = "resnet8") -> float:
    """Mean of the seeds, at severity 1 of `kind` or on clean images; per cent."""
    return 100 * float(
        np.mean(
            [
                found["accuracy"] if kind == "clean" else found["corruptions"][kind][0]
                for found in found_in(FOLDERS["study"])
                if (found["row"], found["student"]) == (row, student)
            ]
        )
    )


def gains(kind: str, student: str = "resnet8", sign: int = 1) -> str:
    """What students taught on clean images are ahead of the untaught by, or behind it (-1), as the page says it."""
    on_clean_images = {
        found["row"] for found in found_in(FOLDERS["study"]) if "distillation.sensor_noise" not in found["settings"]
    }
    untaught = accuracy("no teacher", kind, student)
    differences = [sign * (accuracy(row, kind, student) - untaught) for row in on_clean_images - {"no teacher"}]
    return f"{min(differences):z.1f} to {max(differences):z.1f}"


def test_every_row_of_the_study_has_all_its_seeds():
    trained = {(found["row"], found["student"], found["seed"]) for found in found_in(FOLDERS["study"])}
    assert trained == {
        (row, student, seed) for row in ROWS for student, seeds in STUDENT_SEEDS.items() for seed in range(seeds)
    }


def test_what_the_page_says_of_clean_images():
    assert f"is behind ResNet8 without teachers by {gains('clean', sign=-1)} points." in SAID
    assert f"ResNet16 with teachers is ahead by {gains('clean', 'resnet16')} points." in SAID


def test_what_the_page_says_of_corruptions():
    said = (
        f"by {gains('jpeg')} points after JPEG at quality 80 and by {gains('motion_blur')} points after a motion blur"
    )
    assert f"ResNet8 is ahead {said} of 3 pixels" in SAID
    assert f"ResNet16 gains {gains('jpeg', 'resnet16')} and {gains('motion_blur', 'resnet16')} points." in SAID


def test_what_is_said_of_the_long_training():
    untaught, taught = (100 * found["corruptions"]["motion_blur"][0] for found in found_in(FOLDERS["eurosat_long"]))
    assert f"{taught:.1f} instead of {untaught:.1f} % at 3 pixels" in SAID
    untaught, taught = (100 * found["accuracy"] for found in found_in(FOLDERS["eurosat_long"]))
    assert f"ResNet16 reaches {untaught:.2f} % without teachers and {taught:.2f} % with three" in README


def test_what_the_page_says_of_noise():
    clean, noisy = "both, calibrated confidence per sample", "both, calibrated confidence, noisy images"
    assert f"costs {accuracy(clean, 'clean') - accuracy(noisy, 'clean'):.0f} points on clean images" in SAID
    before, after = (accuracy(row, "gaussian_noise") for row in (clean, noisy))
    assert f"the weakest noise from {before:.0f} to {after:.0f} %" in SAID


def test_the_trainings_are_counted_by_hardware():
    hardware = [found["hardware"] for found in found_in(FOLDERS["study"])]
    on_gpu = sum("H200" in each for each in hardware)
    said = f"{len(hardware) - on_gpu} of the {len(hardware)} trainings ran on two cores of an AMD EPYC and {on_gpu} on"
    assert said in SAID
