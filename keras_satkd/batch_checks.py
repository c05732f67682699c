"""Checks of the images and labels that are given to a `Distiller` as arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_FLOATS = (tf.float16, tf.bfloat16, tf.float32, tf.float64)


def check_range(images: Any) -> None:
    """Check that images are in 0..255; only arrays and eager tensors of floating point are looked at.

    Raises:
        ValueError: their highest value is in (0, 1], so they were divided by 255 already.
    """
    if not isinstance(images, np.ndarray | tf.Tensor) or images.dtype not in _FLOATS:
        return
    highest = float(tf.reduce_max(images))
    if 0 < highest <= 1:
        raise ValueError(
            f"the highest value of the images is {highest:.3g}: give 0..255, because the distiller divides by 255"
        )


def check_labels(labels: Any, classes: int) -> None:
    """Check labels in an array, a list or an eager tensor; None is not checked.

    Args:
        labels: class numbers, [B] or [B, 1], or one-hot or mixed, [B, C].
        classes: C.

    Raises:
        ValueError: a class number is not a whole number in 0..C-1, or the shape is another.
    """
    if labels is None:
        return
    values = np.asarray(labels)
    if is_distribution(values.shape, classes):
        return
    # This condition rejects NaN as well.
    wrong = values[~((values >= 0) & (values < classes) & (values == np.floor(values)))]
    if wrong.size:
        raise ValueError(f"label {wrong[0]} found: expected whole numbers in 0..{classes - 1} for {classes} classes")


def is_distribution(shape: Sequence[int | None], classes: int) -> bool:
    """Whether labels of this shape are one-hot or mixed, [B, C], rather than class numbers, [B] or [B, 1].

    Raises:
        ValueError: the shape is none of these.
    """
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1 != classes):
        return False
    if len(shape) == 2 and shape[1] in (classes, None):
        return True
    raise ValueError(f"labels of shape {tuple(shape)} found: expected [B], [B, 1] or [B, {classes}]")
