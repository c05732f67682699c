"""What a run found, as tables: the same on the terminal, on the page and in the model card."""

import json
from dataclasses import dataclass
from typing import Any

from firmware_export.output.folder import REPORT_FILE
from keras_satkd.run.folder import Run

MODELS = {"float": "float", "ptq": "int8 by PTQ", "qat": "QAT", "int8": "int8, exported"}


@dataclass(frozen=True)
class Table:
    """Text in rows.

    Attributes:
        caption: what it shows; one sentence or more.
        headings: of the columns.
        rows: as many cells each as there are headings; the first names the row, the others are mostly numbers.
    """

    caption: str
    headings: list[str]
    rows: list[list[str]]


def title(run: Run) -> str:
    """What was made of which images."""
    return f"{run.config.student} on {run.config.data.source.rstrip('/').rsplit('/', 1)[-1]}"


def teachers(run: Run) -> list[str]:
    """Names of the teachers that were asked and tested."""
    return [name.removeprefix("teacher ") for name in run.results["test"] if name.startswith("teacher ")]


def firmware(run: Run) -> dict[str, Any]:
    """What the export noted in `firmware/export.json`."""
    return json.loads(run.path(run.results["firmware"]["folder"], REPORT_FILE).read_text())


def scores(run: Run) -> Table:
    """Test scores of every model."""
    keys = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "ece")
    test, images = run.results["test"], run.results["data"]["test"]
    models = [name for name in test if name.startswith("teacher ")] + [name for name in MODELS if name in test]
    return Table(
        f"Scores on the {images:,} test images. Precision, recall and F1 are macro means; ECE is the expected "
        "calibration error, in 15 bins.",
        ["test %", "accuracy", "precision", "recall", "F1", "ECE"],
        [[MODELS.get(name, name), *(f"{100 * test[name][key]:.2f}" for key in keys)] for name in models],
    )


def student(run: Run) -> Table:
    """What the exported student needs."""
    distillation, exported = run.results["distillation"], run.results["firmware"]
    return Table(
        f"What {run.config.student} needs.",
        [run.config.student, ""],
        [
            ["trainable parameters", f"{distillation['parameters']:,}"],
            ["MACs an image", f"{distillation['macs']:,}"],
            ["flash for the model, bytes", f"{exported['flash_bytes']:,}"],
            ["arena with margin, bytes", f"{exported['arena_bytes']:,}"],
        ],
    )


def costs(run: Run) -> Table:
    """Student and teachers, side by side."""
    cost = run.results["test"]["cost"]
    return Table(
        f"Cost of an image. Time is the median of single images on {run.results['data']['hardware']}: TensorFlow, on "
        "all cores, for teachers and float; TFLite, on one, for int8. It tells models apart and predicts no part's "
        "time. MACs are those of convolutions and dense layers, without attention's products; an int8 model's batch "
        "norms are folded into its parameters.",
        ["model", "parameters", "MACs", "bytes", "ms an image"],
        [
            [
                MODELS.get(name, name),
                *(f"{found[key]:,}" for key in ("parameters", "macs", "bytes")),
                f"{found['milliseconds']:.2f}",
            ]
            for name, found in cost.items()
        ],
    )


def noise(run: Run) -> Table:
    """What the exported model withstands."""
    found = run.results["test"]["noise"]
    clean, *corruptions = found["int8"].items()
    return Table(
        f"Accuracy of the exported int8 model on the first {found['images']:,} test images, disturbed in severities "
        f"1 to 5; undisturbed, {100 * clean[1]:.1f} %.",
        ["accuracy %, severity", "1", "2", "3", "4", "5"],
        [[name.replace("_", " "), *(f"{100 * value:.1f}" for value in values)] for name, values in corruptions],
    )


def parts(run: Run) -> Table:
    """Which known parts have room."""
    return Table(
        "Bytes needed of each known part, and what it has. The code's size is an estimate, the application's own is "
        "not in it (firmware_export/board/fitting.py says of what).",
        ["part", "core", "flash needed", "of", "RAM needed", "of", "fits"],
        [
            [
                part["part"],
                part["core"],
                *(f"{part[key]:,}" for key in ("flash_needed", "flash_bytes", "ram_needed", "ram_bytes")),
                "yes" if part["fits"] else "no",
            ]
            for part in firmware(run)["targets"]
        ],
    )


def steps(run: Run) -> Table:
    """How long each step took."""
    taken = {name: step["seconds"] for name, step in run.results.items() if name != "report"}
    return Table(
        f"Seconds of each step, {sum(taken.values()):,.0f} in all, on {run.results['data']['hardware']}.",
        ["step", "seconds"],
        [[name, f"{seconds:,.0f}"] for name, seconds in taken.items()],
    )
