"""The report of a run as one self-contained HTML page: no other files, no scripts, no requests."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from firmware_export.common.templating import render_template
from keras_satkd import __version__
from keras_satkd.config_io import command
from keras_satkd.evaluation import predictions
from keras_satkd.evaluation.predictions import Predictions
from keras_satkd.report import panels, parts, summary
from keras_satkd.run import history
from keras_satkd.run.artifacts import REPORT_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import DATA, TEST

FILE = REPORT_FILE


@dataclass(frozen=True)
class Example:
    """A test image with the exported model's prediction.

    Attributes:
        source: `data:` URL of the image.
        alt: alternative text, with its true and predicted class.
        predicted: predicted class.
        confidence: confidence of the prediction.
    """

    source: str
    alt: str
    predicted: str
    confidence: str


@dataclass(frozen=True)
class ClassExamples:
    """Examples of one class.

    Attributes:
        name: name of the class.
        tested: number of its test images.
        correct: number of those that are classified correctly.
        correct_examples: some correctly classified images.
        wrong_examples: some wrongly classified images.
    """

    name: str
    tested: int
    correct: int
    correct_examples: list[Example]
    wrong_examples: list[Example]


def render(run: Run) -> str:
    """The page's text.

    Raises:
        UserError: the run's models are not scored.
    """
    found, firmware = predictions.load(run.path(predictions.FILE)), summary.firmware(run)
    data, test = run.results[DATA], run.results[TEST]
    rows = history.read(run.path(history.FILE))
    context = {
        "title": summary.title(run),
        "data": data,
        "rule": run.config.distillation.weighting.rule,
        "teachers": summary.teachers(run),
        "int8": test.scores["int8"],
        "corrupted_images": test.corruptions["images"],
        "firmware": firmware,
        "fitting": parts.fitting(run),
        "asked_for": [part for part in firmware["targets"] if part.get("is_asked_for")],
        "pseudo_labels": summary.pseudo_labels(run),
        "tables": {
            "scores": summary.scores(run),
            "costs": summary.costs(run),
            "corruptions": summary.corruptions(run),
            "parts": parts.table(run),
            "steps": summary.steps(run),
            "pgd": summary.pgd(run),
            "camera": summary.camera(run),
            "risk": summary.risk(run),
            "drift": summary.drift(run),
            "precision_recall": summary.precision_recall(run),
            "guidance": summary.guidance(run),
            "confusions": summary.confusions(run),
        },
        "threshold": summary.threshold(run),
        "sensor": summary.sensor(run),
        "learning_curves": panels.learning_curves(rows),
        "teaching": panels.teaching(rows),
        "confusion": [*panels.confusion(run), *panels.precision_recall(run)],
        "calibration": panels.calibration(found),
        "corruptions": panels.corruptions(run),
        "camera": panels.camera(run),
        "risk": [*panels.risk_coverage(firmware["unsure"]), *panels.test_risk(run)],
        "guidance": panels.guidance(run),
        "examples": examples(found, data.classes),
        "samples": summary.samples(run),
        "colors": summary.colors(run),
        "command": command(run.config, "keras_satkd.distill"),
        "version": __version__,
    }
    return render_template(FILE, context, package="keras_satkd.report")


def examples(kept: Predictions, class_names: list[str]) -> list[ClassExamples]:
    """Correctly and wrongly classified images of the exported model, for every class that has some."""
    predicted, confidence = kept.of("int8")
    found = []
    for label in np.unique(kept.labels[kept.examples]):
        of_class = kept.labels == label
        name = class_names[label]
        groups: tuple[list[Example], list[Example]] = ([], [])
        for position, file, image in zip(kept.examples, kept.files, kept.images, strict=True):
            if of_class[position]:
                taken_for, share = class_names[predicted[position]], f"{100 * confidence[position]:.1f} %"
                is_wrong = bool(predicted[position] != label)
                alt = f"{file}: {name}, {f'taken for {taken_for}' if is_wrong else 'correct'}, confidence {share}"
                groups[is_wrong].append(Example(_data_address(image), alt, taken_for, share))
        correct = int(np.count_nonzero(predicted[of_class] == label))
        found.append(ClassExamples(name, int(of_class.sum()), correct, *groups))
    return found


def _data_address(image: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
