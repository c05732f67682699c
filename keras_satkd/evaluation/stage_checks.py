"""Whether a student stays as accurate from float over quantization to the part, judged on labelled images.

A model whose quantization has gone wrong still runs and is exported without an error, and the comparison of kernels
does not notice it, because all kernels compute the same wrong result.
"""

import logging
import math
from collections.abc import Mapping, Sequence

import numpy as np

from firmware_export.common.errors import UserError

logger = logging.getLogger("keras_satkd")

_LEAST_IMAGES = 50
_CONSTANT = 0.99
"""A student that gives this part of the images one class is constant, unless as many are of this class."""


def check_stages(predicted: Mapping[str, np.ndarray], labels: np.ndarray, largest_drop: float) -> None:
    """Log the accuracy of every stage of a student, and refuse a student that loses too much or is constant.

    A drop counts only where it exceeds `largest_drop` by more than three standard deviations of the images on which
    exactly one of both stages is right (McNemar, Psychometrika 12, 1947).

    Args:
        predicted: int [N], the classes that each stage gives, by its name; the first is compared with all others.
        labels: int [N].
        largest_drop: in accuracy, in [0, 1].

    Raises:
        UserError: a stage loses more accuracy, or gives nearly all images one class.
    """
    right = {name: classes == labels for name, classes in predicted.items()}
    shown = ", ".join(f"{name} {100 * hits.mean():.1f} %" for name, hits in right.items())
    logger.info("accuracy on %d validation images: %s", len(labels), shown)
    first = next(iter(right))
    for name, hits in right.items():
        drop = right[first].mean() - hits.mean()
        deviation = math.sqrt(np.count_nonzero(right[first] != hits)) / len(labels)
        if drop > largest_drop + 3 * deviation:
            raise UserError(
                f"{name} loses {100 * drop:.1f} points of accuracy against {first} on {len(labels)} validation images "
                f"({shown}), more than --firmware.largest-drop {largest_drop:g}: train longer with "
                "--quantization.epochs, or allow it"
            )


def check_not_constant(predicted: Mapping[str, np.ndarray], labels: np.ndarray, class_names: Sequence[str]) -> None:
    """Refuse a student that gives nearly all images one class. Nothing is checked with fewer than 50 images.

    Args:
        predicted: as in `check_stages`.
        labels: int [N] in 0..C-1.
        class_names: C of them.

    Raises:
        UserError: a stage does, and the labels do not.
    """
    if len(labels) < _LEAST_IMAGES:
        return
    true = np.bincount(labels, minlength=len(class_names)) / len(labels)
    for name, classes in predicted.items():
        shares = np.bincount(classes, minlength=len(class_names)) / len(labels)
        named = int(shares.argmax())
        if shares[named] >= _CONSTANT and true[named] < _CONSTANT:
            raise UserError(
                f"{name} gives {100 * shares[named]:.1f} % of the validation images the class {class_names[named]!r}, "
                f"and {100 * true[named]:.1f} % are of it: its outputs hardly depend on the image; check the images "
                "and train again"
            )
