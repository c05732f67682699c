"""A run as one HTML page that stands on its own: no other file, no script, nothing fetched."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from firmware_export.common.templating import render_template
from keras_satkd import __version__
from keras_satkd.config import command
from keras_satkd.evaluation import predictions
from keras_satkd.evaluation.predictions import Answers
from keras_satkd.report import panels, summary
from keras_satkd.run import history
from keras_satkd.run.folder import Run

FILE = "report.html"


@dataclass(frozen=True)
class Example:
    """A test image with what the exported model says of it.

    Attributes:
        source: `data:` address of the picture.
        alt: what it shows, and is taken for.
        answer: the class that the model took it for.
        sure: the model's confidence.
    """

    source: str
    alt: str
    answer: str
    sure: str


@dataclass(frozen=True)
class ClassExamples:
    """Examples of one class.

    Attributes:
        name: of the class.
        tested: images of it in the test.
        right: how many of these were told right.
        told_right: some of them.
        told_wrong: some of the others.
    """

    name: str
    tested: int
    right: int
    told_right: list[Example]
    told_wrong: list[Example]


def render(run: Run) -> str:
    """The page's text.

    Raises:
        UserError: the run has not judged its models.
    """
    said, firmware = predictions.load(run.path(predictions.FILE)), summary.firmware(run)
    rows = history.read(run.path(history.FILE))
    context = {
        "title": summary.title(run),
        "data": run.results["data"],
        "rule": run.config.distillation.weighting.rule,
        "teachers": summary.teachers(run),
        "int8": run.results["test"]["int8"],
        "noise_images": run.results["test"]["noise"]["images"],
        "firmware": firmware,
        "fitting": [part["part"] for part in firmware["targets"] if part["fits"]],
        "tables": {name: getattr(summary, name)(run) for name in ("scores", "costs", "noise", "parts", "steps")},
        "learning_curves": panels.learning_curves(rows),
        "teaching": panels.teaching(rows),
        "confusion": [panels.confusion(run)],
        "calibration": panels.calibration(said),
        "noise": panels.noise(run),
        "risk_coverage": panels.risk_coverage(firmware["unsure"]),
        "examples": examples(said, run.results["data"]["classes"]),
        "command": command(run.config, "keras_satkd.distill"),
        "version": __version__,
    }
    return render_template(FILE, context, package="keras_satkd.report")


def examples(said: Answers, class_names: list[str]) -> list[ClassExamples]:
    """Pictures of every class that has some, told right and wrong by the exported model."""
    predicted, confidence = said.of("int8")
    found = []
    for label in np.unique(said.labels[said.examples]):
        of_class = said.labels == label
        name = class_names[label]
        groups: tuple[list[Example], list[Example]] = ([], [])
        for position, file, image in zip(said.examples, said.files, said.images, strict=True):
            if of_class[position]:
                answer, sure = class_names[predicted[position]], f"{100 * confidence[position]:.1f} %"
                is_wrong = bool(predicted[position] != label)
                alt = f"{file}: {name}, {f'taken for {answer}' if is_wrong else 'told right'}, {sure} sure"
                groups[is_wrong].append(Example(_data_address(image), alt, answer, sure))
        right = int(np.count_nonzero(predicted[of_class] == label))
        found.append(ClassExamples(name, int(of_class.sum()), right, *groups))
    return found


def _data_address(image: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
