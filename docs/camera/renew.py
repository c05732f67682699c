"""`python docs/camera/renew.py EuroSAT_RGB.zip`: score the shipped int8 models under the suite, and renew their tables.

It runs `python -m keras_satkd.evaluate … --camera --json` on the test images. It writes the results beside this file,
and the tables of `docs/camera.md`, `docs/board.md` and README.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firmware_export.common.files import read_text, write_json, write_text
from firmware_export.common.tables import markdown_table, with_measured
from keras_satkd.evaluation.camera import table

HERE = Path(__file__).parent
PAGE = HERE.parent / "camera.md"
BOARD = HERE.parent / "board.md"
README = HERE.parent.parent / "README.md"
MODELS = {"ResNet8": "resnet8_eurosat_int8", "ResNet16": "resnet16_eurosat_int8"}
"""Shipped models by name; `FILE.json` holds their results."""

README_ROWS = {
    "noise, SNR {}": ("snr", (50, 20, 10)),
    "blur, PSF of σ = {} pixels": ("psf", (0.6, 0.8, 1.4)),
    "JPEG, quality {}": ("jpeg", (90, 60)),
    "column gain, {} %": ("prnu", (5,)),
    "haze, transmission {} (never in training)": ("haze", (0.9, 0.8)),
    "bands shifted by {} pixels (never in training)": ("registration", (0.5, 1)),
}
"""Rows of README's table, each with a kind of the suite and some of its severities."""


def results() -> dict[str, dict[str, Any]]:
    """The results of each model, by its name."""
    return {name: json.loads(read_text(HERE / f"{file}.json")) for name, file in MODELS.items()}


def page(text: str, found: dict[str, dict[str, Any]]) -> str:
    """The text of `docs/camera.md` with a table for each model between its markers."""
    parts = [f"{name}, int8:\n\n{markdown_table(*table(result['camera']))}" for name, result in found.items()]
    return with_measured(text, "\n\n".join(parts))


def readme(text: str, found: dict[str, dict[str, Any]]) -> str:
    """The text of README with a short table between its markers."""
    suites = [result["camera"] for result in found.values()]
    rows = [["clean", *(_percent([suite["clean"]]) for suite in suites)]]
    for name, (kind, severities) in README_ROWS.items():
        values = " / ".join(f"{severity:g}" for severity in severities)
        rows.append([name.format(values), *(_percent(_accuracies(suite, kind, severities)) for suite in suites)])
    means = ("mean", "mean_trained", "mean_held_out")
    label = "mean over all kinds / in training / never in training"
    rows.append([label, *(_percent([suite[mean] for mean in means]) for suite in suites)])
    return with_measured(text, markdown_table(["accuracy of int8 models, %", *found], rows))


def board(text: str, found: dict[str, dict[str, Any]]) -> str:
    """The text of `docs/board.md` with a table of thresholds between its markers."""
    rows = []
    for name, result in found.items():
        curves = result["risk"]["curves"]
        answered = [_percent([curve["at_threshold"]["coverage"]]) for curve in curves]
        wrong = [f"{100 * curve['at_threshold']['risk']:.2f}" for curve in curves]
        cells = (f"{share} / {rate}" for share, rate in zip(answered, wrong, strict=True))
        rows.append([name, str(result["risk"]["threshold"]), *cells])
    headings = [
        "shipped model",
        "threshold, codes",
        "test images: answered / wrong among these, %",
        "behind the sensor `healthy`",
        "behind `poor`",
    ]
    return with_measured(text, markdown_table(headings, rows))


def _accuracies(suite: dict[str, Any], kind: str, severities: Sequence[float]) -> list[float]:
    measured = suite["kinds"][kind]
    return [measured["accuracy"][measured["severities"].index(severity)] for severity in severities]


def _percent(shares: Sequence[float]) -> str:
    return " / ".join(f"{100 * share:.1f}" for share in shares)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Score the shipped models under the suite, and renew their tables.")
    parser.add_argument("data", help="the EuroSAT archive")
    data = parser.parse_args().data
    for file in MODELS.values():
        model = f"shipped:{file}.tflite"
        command = [sys.executable, "-m", "keras_satkd.evaluate", model, "--data", data, "--camera", "--json"]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        write_json(HERE / f"{file}.json", json.loads(printed))
    write_text(PAGE, page(read_text(PAGE), results()))
    write_text(BOARD, board(read_text(BOARD), results()))
    write_text(README, readme(read_text(README), results()))


if __name__ == "__main__":
    main()
