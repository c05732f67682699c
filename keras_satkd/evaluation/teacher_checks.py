"""Whether a teacher knows the classes that it is about to teach, judged by its logits of the validation images.

A teacher that was given images in another range or classes in another order does not fail: it teaches nonsense.
"""

import logging
import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from firmware_export.common.errors import UserError
from keras_satkd.evaluation.calibration import TEMPERATURES, expected_calibration_error

logger = logging.getLogger("keras_satkd")

REORDERING_GAIN = 0.1
"""A teacher whose accuracy would rise by this much with its outputs in another order has its classes in that order."""

LEAST_IMAGES = 10
"""Images per class from which on an order of the outputs is more than chance."""


def check_teacher(
    name: str,
    logits: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    temperature: float,
    *,
    accepts_weak: bool,
) -> None:
    """Check a teacher's accuracy, the order of its classes, and its calibration.

    Args:
        name: the teacher's name, for messages.
        logits: float [N, C] of the validation images.
        labels: int [N] in 0..C-1.
        class_names: C of them.
        temperature: as `fit_temperature` finds it for these logits.
        accepts_weak: log a warning where an error would be raised.

    The accuracy and the calibration are logged in any case.

    Raises:
        UserError: the classes seem to have another order, or the teacher is not clearly better than always naming the
            most frequent class.
    """
    confidences = softmax(np.asarray(logits, np.float64) / temperature, axis=1)
    logger.info(
        "teacher %s: accuracy %.1f %% on %d validation images, calibration error %.3f at temperature %.2f",
        name,
        100 * np.mean(logits.argmax(axis=1) == labels),
        len(labels),
        expected_calibration_error(confidences, labels),
        temperature,
    )
    problem = _other_order(logits, labels, class_names) or _weakness(logits, labels)
    if problem is not None and not accepts_weak:
        raise UserError(f"teacher {name} {problem}, or use --teachers.accept-weak")
    if problem is not None:
        logger.warning("teacher %s %s", name, problem)
    if not TEMPERATURES[0] * 1.01 < temperature < TEMPERATURES[1] / 1.01:
        logger.warning(
            "teacher %s: its calibration temperature is %.3g, at the end of the range: its logits tell little about "
            "its confidence",
            name,
            temperature,
        )


def _weakness(logits: np.ndarray, labels: np.ndarray) -> str | None:
    """A teacher must be better than the most frequent class by three standard deviations of chance."""
    accuracy = np.mean(logits.argmax(axis=1) == labels)
    most_frequent = np.bincount(labels).max() / len(labels)
    chance = most_frequent + 3 * math.sqrt(most_frequent * (1 - most_frequent) / len(labels))
    if accuracy > min(chance, 1 - 0.5 / len(labels)):
        return None
    return (
        f"has {100 * accuracy:.1f} % of the validation images right, and always naming the most frequent class has "
        f"{100 * most_frequent:.1f} %: check its input range (--teachers.saved-model-input, or input_range in its "
        "TOML file) and its classes"
    )


def _other_order(logits: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> str | None:
    """The order of the outputs that agrees best with the labels, if it is clearly better than the order of classes."""
    confusion = np.zeros((len(class_names), len(class_names)), int)
    np.add.at(confusion, (logits.argmax(axis=1), labels), 1)
    outputs, classes = linear_sum_assignment(confusion, maximize=True)
    accuracy, best = np.trace(confusion) / len(labels), confusion[outputs, classes].sum() / len(labels)
    # An untrained network also agrees better in some other order, but not with most of the labels.
    if best < accuracy + REORDERING_GAIN or best < 0.5 or len(labels) < LEAST_IMAGES * len(class_names):
        return None
    moved = [(output, found) for output, found in zip(outputs, classes, strict=True) if output != found]
    shown = ", ".join(f"{class_names[output]!r} means {class_names[found]!r}" for output, found in moved[:3])
    return (
        f"seems to have its classes in another order: {100 * accuracy:.1f} % of the validation images are right, and "
        f"{100 * best:.1f} % if {shown}{', …' if len(moved) > 3 else ''}: list its "
        "class_names in the order of its outputs in a TOML file"
    )
