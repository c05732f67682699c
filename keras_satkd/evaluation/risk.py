"""Risk against coverage: the error rate among the answers of a model that abstains below a margin, clean and disturbed.

The margin is the difference between a model's two highest outputs. Coverage is the fraction of images that the model
answers; risk is the fraction of these answers that are wrong (El-Yaniv and Wiener, JMLR 11, 2010).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from firmware_export.verify.abstention import RiskCoverage, risk_coverage, top_margins
from keras_satkd.camera.sensor import Sensor

COVERAGES = (1.0, 0.9, 0.8)
"""Coverages whose risk is in the table."""

_MOST_POINTS = 256
"""Largest number of points of a stored curve. An int8 model has at most so many margins."""


def curves(
    outputs_of: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    sensors: Sequence[Sensor] = (),
    threshold: int | None = None,
) -> dict[str, Any]:
    """Risk against coverage on images as they are and as each sensor captures them, as plain values for JSON.

    Args:
        outputs_of: uint8 [N, H, W, 3] → int8 codes or float logits [N, C], C ≥ 2.
        images: uint8 [N, H, W, 3], N ≥ 1.
        labels: int [N].
        sensors: each gives a curve.
        threshold: the model's abstention threshold in output codes, if it has one.

    Returns:
        `images` (N); `threshold`, if there is one; and `curves`, a list that begins with the images as they are. Each
        curve has `sensor`, the sensor's name or None; `coverage` and `risk` in [0, 1], both lists from full coverage
        downward; `area`, the area under the curve in [0, 1]; and with a threshold `at_threshold`: the `coverage` and
        the `risk` there, which is None if no image is answered.

    Raises:
        UserError: a sensor has another number of bands than the images.
    """
    found = [{"sensor": None, **_curve(outputs_of(images), labels, threshold)}]
    for sensor in sensors:
        found.append({"sensor": sensor.name, **_curve(outputs_of(sensor.capture(images)), labels, threshold)})
    known = {} if threshold is None else {"threshold": threshold}
    return {"images": len(labels), **known, "curves": found}


def without_points(found: Mapping[str, Any]) -> dict[str, Any]:
    """The result of `curves` without the points of the curves."""
    points = ("coverage", "risk")
    return {**found, "curves": [{key: curve[key] for key in curve if key not in points} for curve in found["curves"]]}


def name(curve: Mapping[str, Any]) -> str:
    """The name of a curve for tables and legends."""
    return "clean" if curve["sensor"] is None else f"sensor {curve['sensor']}"


def table(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table in percent, from the result of `curves`.

    The risk at a coverage is that of the largest threshold with at least this coverage. With the model's threshold, the
    last two columns are the coverage and the risk there.
    """
    has_threshold = "threshold" in found
    headings = ["risk % at coverage", *(f"{share:.0%}" for share in COVERAGES), "area %"]
    headings += ["answered %", "wrong %"] if has_threshold else []
    rows = []
    for curve in found["curves"]:
        coverage, risk = np.array(curve["coverage"]), curve["risk"]
        values = [*(risk[int(np.count_nonzero(coverage >= share)) - 1] for share in COVERAGES), curve["area"]]
        values += [curve["at_threshold"][key] for key in ("coverage", "risk")] if has_threshold else []
        cells = ("none" if value is None else f"{100 * value:.2f}" for value in values)
        rows.append([name(curve), *cells])
    return headings, rows


def _curve(outputs: np.ndarray, labels: np.ndarray, threshold: int | None) -> dict[str, Any]:
    found = risk_coverage(outputs, labels)
    kept = np.unique(np.linspace(0, len(found.coverage) - 1, _MOST_POINTS).round().astype(int))
    curve = {"coverage": found.coverage[kept].tolist(), "risk": found.risk[kept].tolist(), "area": area(found)}
    if threshold is None:
        return curve
    is_answered = top_margins(outputs) >= threshold
    is_wrong = outputs.argmax(axis=1) != labels
    risk = float(is_wrong[is_answered].mean()) if is_answered.any() else None
    return {**curve, "at_threshold": {"coverage": float(is_answered.mean()), "risk": risk}}


def area(curve: RiskCoverage) -> float:
    """Area under a risk-coverage curve, in [0, 1]: the mean risk over thresholds at the margin of each image.

    Source: Geifman, Uziel and El-Yaniv, arXiv 1805.08206.
    """
    images_at_threshold = -np.diff(curve.coverage, append=0)
    return float(images_at_threshold @ curve.risk)
