"""What `docs/study` and the README tell of the study belongs to the teachers and settings that ship."""

import dataclasses
import json

from markdown_text import ROOT, text

from keras_satkd import comparison
from keras_satkd.config import load

FOLDER = ROOT / "docs" / "study"
RESULTS = json.loads((FOLDER / comparison.RESULTS_FILE).read_text())["results"]


def test_no_row_is_of_other_teachers_or_settings():
    common = load("study")
    common = dataclasses.replace(common, data=dataclasses.replace(common.data, source="EuroSAT_RGB.zip"))
    assert comparison.read_results(FOLDER / comparison.RESULTS_FILE, common) == RESULTS


def test_the_tables_are_those_of_the_results():
    assert comparison.table(RESULTS) == text(FOLDER / "study.md")


def test_the_readme_shows_the_first_table():
    _, scores, *_ = comparison.table(RESULTS).split("\n\n")
    assert scores in text(ROOT / "README.md")


def gains(kind: str) -> str:
    """What ResNet8 taught on clean images withstand more than the untaught at severity 1, as README says it."""
    accuracies: dict[str, list[float]] = {}
    for found in RESULTS:
        if found["student"] == "resnet8" and "distillation.sensor_noise" not in found["settings"]:
            accuracies.setdefault(found["row"], []).append(100 * found["corruptions"][kind][0])
    means = {row: sum(values) / len(values) for row, values in accuracies.items()}
    untaught = means.pop("no teacher")
    return f"{min(means.values()) - untaught:.1f} to {max(means.values()) - untaught:.1f}"


def test_what_the_readme_says_of_corruptions():
    said = f"by {gains('jpeg')} points after JPEG at quality 80 and by {gains('motion_blur')} after a smear of 3 pixels"
    assert said in " ".join(text(ROOT / "README.md").split())
