"""Precision and recall of a model of two classes, for the rarer one, and a threshold chosen on validation images.

The answer is the rarer class if its output exceeds that of the other one by at least the threshold, in output codes,
which firmware compares without floating point.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve

_MOST_POINTS = 256
"""Largest number of points of a stored curve."""


def evaluate(
    outputs_of: Callable[[np.ndarray], np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    class_names: Sequence[str],
    rarer: int,
) -> dict[str, Any]:
    """The curve on the test images, and the scores at the threshold that has the best F1 on the validation images.

    Args:
        outputs_of: uint8 [N, H, W, C] → int8 codes [N, 2].
        validation: images and labels, int [N]; both classes occur.
        test: the same of the test images.
        class_names: of both classes.
        rarer: position of the class that is looked for.

    Returns:
        Values for JSON: `class` and `other`, the names; `threshold`, in output codes; `validation_images` and `images`;
        `share`, the part of the class among the test images; `average_precision`; `precision` and `recall`, the curve;
        and `at_threshold` and `at_highest` (the class with the highest output), each with `precision`, `recall`, `f1`.
    """
    scores, is_rarer = _differences(outputs_of(validation[0]), rarer), validation[1] == rarer
    precision, recall, thresholds = precision_recall_curve(is_rarer, scores)
    threshold = int(thresholds[np.argmax(_f1(precision, recall)[:-1])])
    scores, is_rarer = _differences(outputs_of(test[0]), rarer), test[1] == rarer
    precision, recall, _ = precision_recall_curve(is_rarer, scores)
    kept = np.unique(np.linspace(0, len(precision) - 1, _MOST_POINTS).round().astype(int))
    # Of equal outputs, the first one counts as the highest.
    highest = 0 if rarer == 0 else 1
    return {
        "class": class_names[rarer],
        "other": class_names[1 - rarer],
        "threshold": threshold,
        "validation_images": len(validation[1]),
        "images": len(test[1]),
        "share": float(is_rarer.mean()),
        "average_precision": float(average_precision_score(is_rarer, scores)),
        "precision": precision[kept].tolist(),
        "recall": recall[kept].tolist(),
        "at_threshold": _at(scores >= threshold, is_rarer),
        "at_highest": _at(scores >= highest, is_rarer),
    }


def table(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table in percent, from the result of `evaluate`."""
    rows = [
        [name, *(f"{100 * found[key][score]:.2f}" for score in ("precision", "recall", "f1"))]
        for name, key in (("highest output", "at_highest"), (f"threshold {found['threshold']}", "at_threshold"))
    ]
    return [f"{found['class']} %", "precision", "recall", "F1"], rows


def _differences(codes: np.ndarray, rarer: int) -> np.ndarray:
    wide = codes.astype(np.int32)
    return np.asarray(wide[:, rarer] - wide[:, 1 - rarer])


def _f1(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    return np.asarray(2 * precision * recall / np.maximum(precision + recall, 1e-12))


def _at(is_answered: np.ndarray, is_rarer: np.ndarray) -> dict[str, float]:
    hits = float((is_answered & is_rarer).sum())
    precision, recall = hits / max(1, int(is_answered.sum())), hits / max(1, int(is_rarer.sum()))
    return {"precision": precision, "recall": recall, "f1": float(_f1(np.array(precision), np.array(recall)))}
