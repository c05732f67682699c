"""The figures of the HTML page, each with its caption and alternative text."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keras_satkd.camera.suite import HELD_OUT
from keras_satkd.evaluation import risk
from keras_satkd.evaluation.calibration import reliability
from keras_satkd.evaluation.predictions import Predictions
from keras_satkd.report.figures import camera as suite
from keras_satkd.report.figures import evaluation, training
from keras_satkd.report.figures.canvas import PANEL, svg
from keras_satkd.report.summary import MODELS, MOST_NAMED
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import DATA, TEST

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Panel:
    """A figure.

    Attributes:
        svg: the SVG element; its title is the alternative text.
        caption: a short caption.
    """

    svg: str
    caption: str


def _panel(
    name: str, caption: str, alt: str, fill: Callable[[Figure], None], size: tuple[float, float] = PANEL
) -> Panel:
    return Panel(svg(size, fill, name, alt), caption)


def learning_curves(rows: Rows) -> list[Panel]:
    """The score that selects the best epoch, over the epochs: one panel per phase in `metrics.csv`."""
    panels = []
    for at, phase in enumerate(dict.fromkeys(row["phase"] for row in rows)):
        chosen = [row for row in rows if row["phase"] == phase]
        score = "macro_f1" if chosen[0].get("val_macro_f1") else "accuracy"
        validation = [100 * float(row[f"val_{score}"]) for row in chosen]
        best = int(np.argmax(validation))
        alt = (
            f"Over {len(chosen)} epochs of {phase}, {training.SCORES[score]}: the last epoch reaches "
            f"{100 * float(chosen[-1][score]):.1f} % in training and {validation[-1]:.1f} % in validation; the "
            f"best in validation is {validation[best]:.1f} %, in epoch {chosen[best]['epoch']}."
        )
        panels.append(_panel(f"curve{at}", phase, alt, partial(training.score, rows=chosen, name=score)))
    return panels


def teaching(rows: Rows) -> list[Panel]:
    """Mean weight of each teacher in distillation, if there are several, and how often each case applied."""
    rows = [row for row in rows if row["phase"] == "distillation"]
    weights, cases = training.columns(rows, "weight_"), training.columns(rows, "case_")
    cases = {name.replace("_", " "): values for name, values in cases.items()}
    wanted = (
        ("weights", "mean weight of each teacher", "mean weight", weights if len(weights) > 1 else {}),
        ("cases", "how often each of the paper's cases applied", "fraction of images", cases),
    )
    return [
        _panel(
            name,
            caption,
            f"Over the epochs, {caption}: "
            + "; ".join(f"{label} from {values[0]:.2f} to {values[-1]:.2f}" for label, values in columns.items())
            + ".",
            partial(training.shares, rows=rows, columns=columns, label=label),
        )
        for name, caption, label, columns in wanted
        if columns
    ]


def confusion(run: Run) -> list[Panel]:
    """Confusion matrix of the int8 model; of many classes, that of all without names and that of the most confused."""
    counts, names = np.array(run.results[TEST].confusion), run.results[DATA].classes
    if len(names) <= MOST_NAMED:
        return [_confusion(counts, names)]
    shown = evaluation.most_confused(counts, MOST_NAMED)
    alt = f"Confusion matrix of the {len(shown)} classes with the most frequent errors, of {len(names)}."
    part = _panel(
        "confused",
        f"the {len(shown)} classes with the most frequent errors; percent of each true class",
        alt,
        lambda figure: evaluation.confusion(figure, counts, names, shown),
        evaluation.confusion_size(len(shown)),
    )
    return [_confusion(counts, names), part]


def _confusion(counts: np.ndarray, names: list[str]) -> Panel:
    mistakes = counts - np.diag(np.diag(counts))
    true, predicted = np.unravel_index(mistakes.argmax(), mistakes.shape)
    alt = f"Confusion matrix of {len(names)} classes; {mistakes.sum()} of {counts.sum()} images are wrong."
    if mistakes.any():
        alt += f" The most frequent error: {names[true]} taken for {names[predicted]}, {mistakes.max()} images."
    if len(names) > MOST_NAMED:
        caption = "int8 model, all classes by number; percent of each true class"
        return _panel(
            "confusion", caption, alt, lambda figure: evaluation.overview(figure, counts), evaluation.OVERVIEW
        )
    return _panel(
        "confusion",
        "int8 model; percent of each true class",
        alt,
        lambda figure: evaluation.confusion(figure, counts, names),
        evaluation.confusion_size(len(names)),
    )


def precision_recall(run: Run) -> list[Panel]:
    """Precision against recall of the rarer of two classes, if there are two."""
    found = run.results[TEST].precision_recall
    if found is None:
        return []
    chosen = found["at_threshold"]
    alt = (
        f"Precision against recall of the class {found['class']} on {found['images']} test images: average precision "
        f"{found['average_precision']:.1%}; at the chosen threshold, precision {chosen['precision']:.1%} and recall "
        f"{chosen['recall']:.1%}."
    )
    fill = partial(evaluation.precision_recall, found=found)
    return [_panel("precision-recall", f"test images: {found['class']}", alt, fill, _RISK)]


def calibration(predictions: Predictions) -> list[Panel]:
    """Reliability diagrams of the student: float, QAT, int8."""
    panels = []
    for model in ("float", "qat", "int8"):
        if model in predictions.models:
            predicted, confidence = predictions.of(model)
            found = reliability(confidence, predicted == predictions.labels)
            accuracy = 100 * found.correct.sum() / found.images.sum()
            alt = (
                f"Reliability diagram of {MODELS[model]}: mean confidence {100 * confidence.mean():.1f} %, accuracy "
                f"{accuracy:.1f} %, expected calibration error {100 * found.error:.2f} %."
            )
            panels.append(
                _panel(
                    f"reliability-{model}",
                    f"{MODELS[model]}: ECE {100 * found.error:.2f} %",
                    alt,
                    partial(evaluation.reliability, found=found),
                    (PANEL[0], 3.4),
                )
            )
    return panels


def corruptions(run: Run) -> list[Panel]:
    """Accuracy of the float and the int8 student under each corruption."""
    found = run.results[TEST].corruptions
    panels = []
    for name in found["int8"]:
        if name != "clean":
            columns = {model: [found[model]["clean"], *found[model][name]] for model in ("float", "int8")}
            words = name.replace("_", " ")
            alt = f"Accuracy under {words}, uncorrupted and at severities 1 to 5: " + "; ".join(
                f"{model} " + ", ".join(f"{100 * value:.1f}" for value in values) + " %"
                for model, values in columns.items()
            )
            panels.append(
                _panel(f"corruption-{name}", words, f"{alt}.", partial(evaluation.corruption, accuracies=columns))
            )
    return panels


def camera(run: Run) -> list[Panel]:
    """Accuracy of the int8 model under every disturbance of a camera, if the run has one."""
    found = run.results[TEST].camera
    if found is None:
        return []
    kinds = found["int8"]["kinds"]
    accuracies = [
        f"{kind['unit']}: " + ", ".join(f"{100 * share:.1f}" for share in kind["accuracy"]) for kind in kinds.values()
    ]
    alt = (
        f"Accuracy under the disturbances of a camera: mean {100 * found['int8']['mean']:.1f} %, clean "
        f"{100 * found['int8']['clean']:.1f} %. {'; '.join(accuracies)}."
    )
    caption = "int8 model; severity, and below it accuracy in percent"
    fill = partial(suite.accuracies, kinds=kinds, held_out=HELD_OUT)
    return [_panel("camera", caption, alt, fill, suite.size(kinds))]


def test_risk(run: Run) -> list[Panel]:
    """Error rate against coverage on the test images, clean and behind sensors, if the run recorded it."""
    found = run.results[TEST].risk
    if found is None:
        return []
    sentences = [_risk_in_words(curve) for curve in found["curves"]]
    alt = f"Error rate against coverage on {found['images']} test images. {' '.join(sentences)}"
    fill = partial(evaluation.test_risk, found=found)
    return [_panel("test-risk", "test images: error rate against coverage", alt, fill, _RISK)]


def _risk_in_words(curve: dict[str, Any]) -> str:
    words = f"{risk.name(curve)}: {curve['risk'][0]:.2%} if all are answered"
    chosen = curve.get("at_threshold", {})
    if chosen.get("risk") is not None:
        words += f", {chosen['risk']:.2%} of the {chosen['coverage']:.2%} answered at the chosen margin"
    return f"{words}."


def guidance(run: Run) -> list[Panel]:
    """Accuracy over the share of images sent to the ground, if the run recorded it."""
    found = run.results[TEST].guidance
    if found is None:
        return []
    sentences = [
        f"With {curve['teacher']}: {curve['accuracy'][0]:.2%} if none is sent, {curve['accuracy'][-1]:.2%} if all are."
        for curve in found["curves"]
    ]
    alt = f"Accuracy over the share of {found['images']} test images sent to the ground. {' '.join(sentences)}"
    fill = partial(evaluation.guidance, found=found)
    return [_panel("guidance", "test images: accuracy with a teacher on the ground", alt, fill, _RISK)]


_RISK = (4.2, 3.2)
"""Width and height of the panels of risk in inches."""


def risk_coverage(unsure: dict[str, Any]) -> list[Panel]:
    """Error rate against coverage, if there were validation images."""
    if "curve" not in unsure:
        return []
    first, last = unsure["curve"][0], unsure["curve"][-1]
    alt = (
        f"Error rate against coverage: {first['risk']:.2%} if all {unsure['images']} validation images are classified, "
        f"{last['risk']:.2%} if {last['coverage']:.2%} are. {unsure['reason']}"
    )
    caption = "validation images: error rate against coverage"
    return [_panel("risk", caption, alt, lambda figure: evaluation.risk_coverage(figure, unsure), _RISK)]
