"""Figures of predictions on the test images, and of abstention."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter
from scipy.special import betaincinv

from keras_satkd.evaluation import risk
from keras_satkd.evaluation.calibration import Reliability
from keras_satkd.report.figures.canvas import COLORS, PANEL, legend_above, lines, shortened

OVERVIEW = (5.2, 4.6)
"""Width and height in inches of `overview`."""

_MOST_CELLS = 200
"""Largest number of rows and columns of `overview`: each is more than a pixel wide on any screen."""

_STYLES = ("-", "--", ":", "-.")
"""Line styles distinguish lines without color."""


def confusion_size(classes: int) -> tuple[float, float]:
    """Width and height in inches of a confusion matrix with this many classes."""
    side = 1.4 + max(PANEL[1], 0.32 * classes)
    return side, side


def most_confused(counts: np.ndarray, number: int) -> np.ndarray:
    """The classes of the most frequent errors, int [number], ascending.

    Args:
        counts: int [C, C], true class by predicted class, C ≥ `number`.
        number: how many.
    """
    errors = counts - np.diag(np.diag(counts))
    pairs = np.stack(np.unravel_index(np.argsort(-errors, axis=None, kind="stable"), errors.shape), axis=1)
    classes = list(dict.fromkeys(pairs.ravel().tolist()))
    return np.sort(classes[:number])


def overview(figure: Figure, counts: np.ndarray) -> None:
    """Confusion matrix of many classes, by number from 1. A cell of several classes has the color of the highest share.

    Args:
        figure: empty figure of the size `OVERVIEW`.
        counts: int [C, C], true class by predicted class.
    """
    classes = len(counts)
    width = -(-classes // _MOST_CELLS)
    cells = -(-classes // width)
    shares = np.zeros((cells * width,) * 2)
    shares[:classes, :classes] = 100 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    highest = shares.reshape(cells, width, cells, width).max(axis=(1, 3))
    edge = cells * width + 0.5
    panel = figure.subplots()
    # Small shares of errors are visible beside those of correct answers.
    drawn = panel.imshow(
        highest, cmap="Blues", norm=PowerNorm(0.5, 0, 100), extent=(0.5, edge, edge, 0.5), interpolation="nearest"
    )
    panel.set(xlabel="predicted class", ylabel="true class", xlim=(0.5, classes + 0.5), ylim=(classes + 0.5, 0.5))
    panel.spines[:].set_visible(True)
    figure.colorbar(drawn, ax=panel, ticks=(0, 1, 5, 25, 50, 100), label="%", shrink=0.8)


def confusion(figure: Figure, counts: np.ndarray, class_names: Sequence[str], shown: np.ndarray | None = None) -> None:
    """Confusion matrix in percent of each true class.

    Args:
        figure: empty figure of `confusion_size`.
        counts: int [C, C], true class by predicted class.
        class_names: C of them.
        shown: the classes to draw, int [S]; all if not given.
    """
    shares = 100 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    if shown is not None:
        shares, class_names = shares[np.ix_(shown, shown)], [class_names[at] for at in shown]
    panel = figure.subplots()
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    panel.spines[:].set_visible(True)
    positions, names = range(len(class_names)), [shortened(name) for name in class_names]
    panel.set_xticks(positions, names, rotation=90)
    panel.set_yticks(positions, names)
    panel.tick_params(labelsize=8)
    panel.set(xlabel="predicted", ylabel="true")
    for true, predicted in np.argwhere(shares >= 0.5):
        share = shares[true, predicted]
        color = "white" if share > 50 else "black"
        panel.text(predicted, true, f"{share:.0f}", ha="center", va="center", color=color, fontsize=8)


def reliability(figure: Figure, found: Reliability) -> None:
    """Accuracy of predictions by confidence, with 95 % intervals (Clopper and Pearson), and below it their number.

    Args:
        figure: empty figure.
        found: reliability of one model.
    """
    panel, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    some = found.images > 0
    images, correct = found.images[some], found.correct[some]
    confidence, share = 100 * found.confidence[some] / images, 100 * correct / images
    lower = np.where(correct > 0, 100 * betaincinv(np.maximum(correct, 1), images - correct + 1, 0.025), 0)
    upper = np.where(correct < images, 100 * betaincinv(correct + 1, np.maximum(images - correct, 1), 0.975), 100)
    panel.plot((0, 100), (0, 100), color="#777777", linestyle="--", linewidth=1, label="calibrated")
    panel.errorbar(
        confidence, share, (share - lower, upper - share), fmt="o", color=COLORS[0], capsize=2, label="model"
    )
    panel.set(xlim=(0, 102), ylim=(-3, 103), ylabel="accuracy %")
    panel.grid(alpha=0.3)
    legend_above(panel)
    width = 100 / len(found.images)
    below.bar(width * (np.flatnonzero(some) + 0.5), images, 0.9 * width, color=COLORS[5])
    below.set_yscale("log")
    below.set(xlabel="confidence %", ylabel="images", ylim=(0.8, 3 * images.max()))


def corruption(figure: Figure, accuracies: Mapping[str, Sequence[float]]) -> None:
    """Accuracy of models under one corruption, from none to severity 5.

    Args:
        figure: empty figure.
        accuracies: by model, in [0, 1]; uncorrupted first, then one per severity.
    """
    panel = figure.subplots()
    severities = range(max(map(len, accuracies.values())))
    lines(panel, severities, {name: [100 * value for value in values] for name, values in accuracies.items()})
    panel.set(xlabel="severity", ylabel="accuracy %", ylim=(-3, 103))
    panel.set_xticks(severities, ["none", *map(str, severities[1:])])


def test_risk(figure: Figure, found: Mapping[str, Any]) -> None:
    """Error rate against coverage on test images, one line per sensor.

    The axis of the error rate is logarithmic: lines end where no answer is wrong, and the mark of a threshold without
    wrong answers is at the axis' lower end.

    Args:
        figure: empty figure.
        found: result of `evaluation.risk.curves`.
    """
    panel = figure.subplots()
    errors = [100 * share for curve in found["curves"] for share in curve["risk"] if share] or [0.1, 100]
    lowest, highest = 0.7 * min(errors), 1.4 * max(errors)
    panel.set_ylim(lowest, highest)
    panel.set_yscale("log", nonpositive="mask")
    for curve, color, style in zip(found["curves"], COLORS, cycle(_STYLES), strict=False):
        points = (100 * np.array(curve[axis]) for axis in ("coverage", "risk"))
        panel.plot(*points, style, color=color, label=shortened(risk.name(curve)))
        chosen = curve.get("at_threshold", {})
        if chosen.get("risk") is not None:
            height = max(lowest, 100 * chosen["risk"])
            panel.plot(100 * chosen["coverage"], height, "D", color=color, markersize=6, clip_on=False)
    if "threshold" in found:
        panel.plot([], [], "D", color="#777777", label="chosen margin")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.minorticks_off()
    panel.set(xlabel="coverage %", ylabel="error rate %", xlim=(-3, 103))
    panel.grid(alpha=0.3)
    legend_above(panel, columns=2)


def precision_recall(figure: Figure, found: Mapping[str, Any]) -> None:
    """Precision against recall of one class, with the chosen threshold, and the answers of the highest output.

    Args:
        figure: empty figure.
        found: result of `evaluation.precision_recall.evaluate`.
    """
    panel = figure.subplots()
    points = [[100 * value for value in found[axis]] for axis in ("recall", "precision")]
    panel.step(*points, where="post", color=COLORS[0], label=f"average {100 * found['average_precision']:.1f} %")
    for key, marker, color, name in (
        ("at_highest", "o", COLORS[1], "highest output"),
        ("at_threshold", "D", COLORS[6], f"threshold {found['threshold']}"),
    ):
        at = 100 * found[key]["recall"], 100 * found[key]["precision"]
        panel.plot(*at, marker, color=color, markersize=6, label=name, clip_on=False)
    panel.axhline(100 * found["share"], color="#777777", linestyle="--", linewidth=1, label="chance")
    panel.set(xlabel="recall %", ylabel="precision %", xlim=(-3, 103), ylim=(-3, 103))
    panel.grid(alpha=0.3)
    legend_above(panel, columns=2)


def guidance(figure: Figure, found: Mapping[str, Any]) -> None:
    """Accuracy over the share of images sent to a teacher on the ground, one line per teacher.

    Args:
        figure: empty figure.
        found: result of `evaluation.guidance.curves`.
    """
    panel = figure.subplots()
    for curve, color, style in zip(found["curves"], COLORS, cycle(_STYLES), strict=False):
        points = (100 * np.array(curve[axis]) for axis in ("sent", "accuracy"))
        panel.plot(*points, style, color=color, label=shortened(curve["teacher"]))
        if (chosen := curve.get("at_threshold")) is not None:
            panel.plot(100 * chosen["sent"], 100 * chosen["accuracy"], "D", color=color, markersize=6, clip_on=False)
    if "threshold" in found:
        panel.plot([], [], "D", color="#777777", label="chosen margin")
    panel.set(xlabel="images sent to the ground %", ylabel="accuracy %", xlim=(-3, 103))
    panel.grid(alpha=0.3)
    legend_above(panel, columns=1)


def risk_coverage(figure: Figure, unsure: Mapping[str, Any]) -> None:
    """Error rate against coverage, the fraction of images on which the classifier does not abstain.

    Args:
        figure: empty figure.
        unsure: the entry in a firmware folder's `export.json`, with its curve.
    """
    panel = figure.subplots()
    columns = {name: [100 * row[name] for row in unsure["curve"]] for name in ("coverage", "risk", "risk_bound")}
    bound = f"upper bound with {unsure['confidence']:.0%} confidence"
    panel.plot(columns["coverage"], columns["risk_bound"], color=COLORS[1], linestyle="--", label=bound)
    panel.plot(columns["coverage"], columns["risk"], color=COLORS[0], label="measured on validation images")
    for row in unsure["curve"]:
        if row["margin"] == unsure["least_margin"]:
            panel.plot(100 * row["coverage"], 100 * row["risk"], "D", color=COLORS[6], label="chosen margin")
    # At very low coverage there is almost no data, and the bound rises to 100 %.
    highest = min(103, 2 * max(columns["risk_bound"][0], 100 * unsure["error_rate"]))
    panel.set(xlabel="coverage %", ylabel="error rate %", ylim=(-0.03 * highest, highest))
    panel.grid(alpha=0.3)
    legend_above(panel, columns=1)
