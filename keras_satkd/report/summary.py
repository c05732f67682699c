"""A run's results as tables, for the terminal, the HTML page and the model card."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_export.output.folder import read_report
from keras_satkd.camera.suite import HELD_OUT
from keras_satkd.data.reading import rgb_of
from keras_satkd.evaluation import predictions
from keras_satkd.evaluation.camera import table as suite_table
from keras_satkd.evaluation.drift import table as drift_table
from keras_satkd.evaluation.guidance import table as guidance_table
from keras_satkd.evaluation.precision_recall import table as precision_recall_table
from keras_satkd.evaluation.risk import table as risk_table
from keras_satkd.pgd import table as pgd_table
from keras_satkd.run.artifacts import FIRMWARE_FOLDER, SCALING_FILE, SENSOR_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import DATA, DISTILLATION, FIRMWARE, REPORT, TEST, teacher_model

MOST_NAMED = 40
"""Largest number of classes whose names fit a confusion matrix."""

MOST_CONFUSIONS = 20
"""Number of errors that are listed if there are more classes than that."""

MODELS = {"float": "float", "ptq": "int8 by PTQ", "qat": "QAT", "int8": "int8, exported"}


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        caption: one or more sentences that describe the table.
        headings: column headings.
        rows: one cell per heading; the first is the name of the row, the others are mostly numbers.
    """

    caption: str
    headings: list[str]
    rows: list[list[str]]


def title(run: Run) -> str:
    """The name of the student and of its data set."""
    sources = " + ".join(source.rstrip("/").rsplit("/", 1)[-1] for source in run.config.data.sources)
    return f"{run.config.student_name} on {sources}"


def teachers(run: Run) -> list[str]:
    """Names of the teachers that were tested."""
    return run.results[TEST].teachers


def firmware(run: Run) -> dict[str, Any]:
    """The contents of `firmware/export.json`.

    Raises:
        UserError: it is damaged.
    """
    return read_report(run.path(run.results[FIRMWARE].folder))


def samples(run: Run) -> str | None:
    """One sentence on bands and samples; None if the images are ordinary 8-bit pictures."""
    scaling = firmware(run).get("scaling")
    if scaling is None:
        return None
    bands, made_by = ", ".join(scaling["bands"]), f"{SCALING_FILE} ({scaling['reason']})"
    return (
        f"The images have the bands {bands}. Their {scaling['samples']} samples become 8-bit codes by {made_by}; "
        f"{FIRMWARE_FOLDER}/{scaling['file']} has the function in C."
    )


def colors(run: Run) -> str | None:
    """One sentence on the colors of example images; None if the images are ordinary pictures."""
    scaling = firmware(run).get("scaling")
    if scaling is None:
        return None
    names = tuple(scaling["bands"])
    rgb = rgb_of(names, run.config.data)
    shown = ", ".join(names[channel] for channel in predictions.color_channels(len(names), rgb))
    return f"They are shown in {'true color' if rgb is not None else 'false colors'}: red, green and blue are {shown}."


def scores(run: Run) -> Table:
    """Test scores of every model."""
    keys = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "ece")
    test, images = run.results[TEST], run.results[DATA].test
    models = [*map(teacher_model, test.teachers), *test.rounds, *(name for name in MODELS if name in test.scores)]
    taught = " Rounds are those of self-distillation; float is the student of the last one." if test.rounds else ""
    return Table(
        f"Scores on the {images:,} test images. Precision, recall and F1 are macro means; ECE is the expected "
        f"calibration error, in 15 bins.{taught}",
        ["test %", "accuracy", "precision", "recall", "F1", "ECE"],
        [[MODELS.get(name, name), *(f"{100 * test.scores[name][key]:.2f}" for key in keys)] for name in models],
    )


def student(run: Run) -> Table:
    """Costs of the exported student."""
    distillation, exported = run.results[DISTILLATION], run.results[FIRMWARE]
    return Table(
        f"Resources that {run.config.student_name} needs.",
        [run.config.student_name, ""],
        [
            ["trainable parameters", f"{distillation.parameters:,}"],
            ["MACs per image", f"{distillation.macs:,}"],
            ["flash for the model, bytes", f"{exported.flash_bytes:,}"],
            ["arena with margin, bytes", f"{exported.arena_bytes:,}"],
        ],
    )


def costs(run: Run) -> Table:
    """Costs of student and teachers."""
    cost = run.results[TEST].cost
    return Table(
        f"Cost per image. Time is the median of single images on {run.results[DATA].hardware}: TensorFlow on all cores "
        "for teachers and float, TFLite on one core for int8. It compares models and does not predict the time on a "
        "microcontroller. MACs are those of convolutions and dense layers, without the products in attention; the "
        "batch norms of an int8 model are folded into its parameters.",
        ["model", "parameters", "MACs", "bytes", "ms per image"],
        [
            [
                MODELS.get(name, name),
                *("" if found[key] is None else f"{found[key]:,}" for key in ("parameters", "macs", "bytes")),
                f"{found['milliseconds']:.2f}",
            ]
            for name, found in cost.items()
        ],
    )


def corruptions(run: Run) -> Table:
    """Accuracy of the exported model under corruptions."""
    found = run.results[TEST].corruptions
    clean, *corrupted = found["int8"].items()
    return Table(
        f"Accuracy of the exported int8 model on the first {found['images']:,} test images, corrupted at severities "
        f"1 to 5; without corruption, {100 * clean[1]:.1f} %.",
        ["accuracy %, severity", "1", "2", "3", "4", "5"],
        [[name.replace("_", " "), *(f"{100 * value:.1f}" for value in values)] for name, values in corrupted],
    )


def pgd(run: Run) -> Table | None:
    """Accuracy of the float student after an attack; None if the run has no adversarial training."""
    found = run.results[TEST].pgd
    if found is None:
        return None
    return Table(
        f"Accuracy of the float student on the first {found['images']:,} test images after an attack on it (PGD, which "
        f"needs gradients, so that it is not made on the int8 model); without it, {100 * found['clean']:.1f} %.",
        *pgd_table(found),
    )


def camera(run: Run) -> Table | None:
    """Accuracy of the exported model under every disturbance of a camera; None if the run has no camera."""
    found = run.results[TEST].camera
    if found is None:
        return None
    headings, rows = suite_table(found["int8"])
    if "behind" in found["int8"]:
        behind = found["int8"]["behind"]
        rows.append(
            [f"behind the sensor {behind['sensor']}", *[""] * (len(headings) - 2), f"{100 * behind['all']:.1f}"]
        )
    return Table(
        f"Accuracy of the exported int8 model on the first {found['images']:,} test images under the disturbances of a "
        f"camera. Training never uses {' and '.join(HELD_OUT)}.",
        headings,
        rows,
    )


def risk(run: Run) -> Table | None:
    """Risk against coverage of the exported model; None if the run did not record it."""
    found = run.results[TEST].risk
    if found is None:
        return None
    caption = (
        "Risk (error rate among the answered images) of the exported int8 model at several coverages (fraction of the "
        f"{found['images']:,} test images that are answered), and the area under the curve of risk against coverage."
    )
    if "threshold" in found:
        caption += f" The last columns are coverage and risk at kLeastMargin {found['threshold']}."
    return Table(caption, *risk_table(found))


def pseudo_labels(run: Run) -> int | None:
    """Number of training images that the teachers labelled; None without unlabelled images."""
    found = run.results[DISTILLATION].pseudo_labels
    return None if found is None else sum(found.values())


def guidance(run: Run) -> Table | None:
    """The exported model with each teacher on the ground; None if the run did not record it."""
    found = run.results[TEST].guidance
    if found is None:
        return None
    caption = (
        "Accuracy if the exported int8 model answers the images that it is sure of, and a teacher on the ground the "
        f"others, by the share of the {found['images']:,} test images that are sent to the ground."
    )
    if "threshold" in found:
        caption += f" The last columns hold if images below kLeastMargin {found['threshold']} are sent."
    return Table(caption, *guidance_table(found))


def precision_recall(run: Run) -> Table | None:
    """Precision and recall of the rarer of two classes; None if the run has more classes."""
    found = run.results[TEST].precision_recall
    if found is None:
        return None
    return Table(
        f"The exported int8 model and the class {found['class']}, which {100 * found['share']:.1f} % of the "
        f"{found['images']:,} test images have; the precision holds for this share. The threshold {found['threshold']} "
        f"has the best F1 on the {found['validation_images']:,} validation images: answer {found['class']} if its "
        f"output code is at least that of {found['other']} plus {found['threshold']}.",
        *precision_recall_table(found),
    )


def confusions(run: Run) -> Table | None:
    """The most frequent errors of the exported model, if there are too many classes to read them in the matrix."""
    counts, names = np.array(run.results[TEST].confusion), run.results[DATA].classes
    if len(names) <= MOST_NAMED:
        return None
    images = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [divmod(int(at), len(names)) for at in order if counts.flat[at]]
    return Table(
        f"The {len(pairs)} most frequent errors of the exported int8 model on the test images.",
        ["true class", "predicted", "images", "% of the class"],
        [
            [
                names[true],
                names[predicted],
                f"{counts[true, predicted]:,}",
                f"{100 * counts[true, predicted] / images[true]:.1f}",
            ]
            for true, predicted in pairs
        ],
    )


def sensor(run: Run) -> str | None:
    """The text of the run's `sensor.toml`; None if the run has no sensor."""
    path = run.path(SENSOR_FILE)
    return path.read_text(encoding="utf-8").strip() if path.exists() else None


def threshold(run: Run) -> str:
    """Sentences that explain the abstention threshold, and which camera disturbed the images that it was chosen on."""
    reason: str = firmware(run)["unsure"]["reason"]
    camera = run.results[TEST].camera
    if camera is None:
        return reason
    behind = camera["int8"].get("behind")
    if behind is None:
        return f"{reason} The camera disturbed {run.config.camera.share:.0%} of the validation images."
    return f'{reason} The validation images passed through the sensor "{behind["sensor"]}".'


def drift(run: Run) -> Table | None:
    """False alarms and detections of the drift monitor; None where the run has no camera."""
    found = run.results[TEST].drift
    if found is None:
        return None
    headings, rows = drift_table(found)
    return Table(
        f"Windows of {found['window']} images in which the drift monitor raises an alarm: {found['images']:,} test "
        f"images as the run's camera gives them, and {found['disturbed_images']:,} of them disturbed. The numbered "
        "columns are of mixed windows, from healthy to poor; the bounds allow "
        f"{100 * found['false_alarm_rate']:g} % of false alarms.",
        headings,
        rows,
    )


def steps(run: Run) -> Table:
    """Time of each step."""
    taken = {name: seconds for name, seconds in run.results.seconds().items() if name != REPORT.name}
    return Table(
        f"Seconds per step, {sum(taken.values()):,.0f} in total, on {run.results[DATA].hardware}.",
        ["step", "seconds"],
        [[name, f"{seconds:,.0f}"] for name, seconds in taken.items()],
    )
