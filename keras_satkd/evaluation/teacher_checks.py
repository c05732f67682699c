"""Whether a teacher knows the classes that it is about to teach, judged by its logits of labelled images.

A teacher that was given images in another range or classes in another order does not fail: it teaches nonsense.
"""

import logging
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from firmware_export.common.errors import UserError
from firmware_export.verify.contradictions import other_order
from keras_satkd.evaluation.calibration import TEMPERATURES, expected_calibration_error

logger = logging.getLogger("keras_satkd")


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
    tell(name, _problem(logits, labels, class_names, "validation"), accepts_weak=accepts_weak)
    if not TEMPERATURES[0] * 1.01 < temperature < TEMPERATURES[1] / 1.01:
        logger.warning(
            "teacher %s: its calibration temperature is %.3g, at the end of the range: its logits tell little about "
            "its confidence",
            name,
            temperature,
        )


def check_rows(
    name: str, logits: np.ndarray, labels: np.ndarray, class_names: Sequence[str], *, accepts_weak: bool
) -> None:
    """Check the logits that another program has computed for the training images, whose rows may be in another order.

    Args:
        name: the teacher's name, for messages.
        logits: float [N, C] of the training images.
        labels: int [N]; images with a label below 0 have none.
        class_names: C of them.
        accepts_weak: log a warning where an error would be raised.

    Raises:
        UserError: as `check_teacher`.
    """
    known = labels >= 0
    if known.any():
        problem = _problem(logits[known], labels[known], class_names, "training")
        tell(name, problem, accepts_weak=accepts_weak)


def tell(name: str, problem: str | None, *, accepts_weak: bool) -> None:
    """Raise or log what is wrong with a teacher, if anything.

    Raises:
        UserError: there is a problem, and weak teachers are not accepted.
    """
    if problem is not None and not accepts_weak:
        raise UserError(f"teacher {name} {problem}, or use --teachers.accept-weak")
    if problem is not None:
        logger.warning("teacher %s %s", name, problem)


def _problem(logits: np.ndarray, labels: np.ndarray, class_names: Sequence[str], images: str) -> str | None:
    order = other_order(logits.argmax(axis=1), labels, class_names)
    if order is not None:
        return f"{order}: list its class_names in the order of its outputs in a TOML file"
    return _weakness(logits, labels, images)


def _weakness(logits: np.ndarray, labels: np.ndarray, images: str) -> str | None:
    """A teacher must be better than the most frequent class by three standard deviations of chance."""
    accuracy = np.mean(logits.argmax(axis=1) == labels)
    most_frequent = np.bincount(labels).max() / len(labels)
    chance = most_frequent + 3 * math.sqrt(most_frequent * (1 - most_frequent) / len(labels))
    if accuracy > min(chance, 1 - 0.5 / len(labels)):
        return None
    return (
        f"has {100 * accuracy:.1f} % of the {images} images right, and always naming the most frequent class has "
        f"{100 * most_frequent:.1f} %: check its input range (--teachers.saved-model-input, or input_range in its "
        "TOML file) and its classes"
    )
