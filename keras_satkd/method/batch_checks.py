"""Checks of the images and labels that are given to a `Distiller` as arrays."""

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from keras_satkd.models import students
from keras_satkd.models.student_checks import function_at_end


def check_settings(student: tf_keras.Model, temperature: Any, class_weights: Sequence[float]) -> None:
    """Check what a `Distiller` is made of.

    Raises:
        ValueError: the student ends in a softmax or another function, the temperature is not above 0, or there are more
            or fewer class weights than classes.
    """
    if function := function_at_end(student):
        raise ValueError(f"the student ends in a {function}, but the loss needs logits: remove it")
    if not (isinstance(temperature, Real) and 0 < float(temperature) < math.inf):
        raise ValueError(f"temperature {temperature!r} found: give a number above 0")
    if class_weights and len(class_weights) != student.output_shape[-1]:
        raise ValueError(f"{len(class_weights)} class weights found: give {student.output_shape[-1]}")


def check_range(images: Any) -> None:
    """Check that images are in 0..255; only arrays and eager tensors are looked at.

    Raises:
        ValueError: they have values outside 0..255, or NaN; or their highest value is in (0, 1] and a float, so they
            were divided by 255 already.
    """
    if not isinstance(images, np.ndarray | tf.Tensor) or images.dtype in (np.uint8, bool):
        return
    values = tf.cast(images, tf.float32)
    lowest, highest = float(tf.reduce_min(values)), float(tf.reduce_max(values))
    # This condition rejects NaN as well.
    if not (lowest >= 0 and highest <= 255):
        raise ValueError(f"the images have values from {lowest:.6g} to {highest:.6g}: give 0..255")
    if 0 < highest <= 1 and tf.as_dtype(images.dtype).is_floating:
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


def one_hot(labels: tf.Tensor, classes: int) -> tf.Tensor:
    """Labels as `check_labels` takes them → float32 [B, classes]."""
    # The shape of a dataset's labels may be known only at run time.
    if labels.shape.rank is not None and is_distribution(tuple(labels.shape), classes):
        return tf.cast(labels, tf.float32)
    return tf.one_hot(tf.cast(tf.reshape(labels, [-1]), tf.int32), classes)


class CheckedModel(tf_keras.Model):  # type: ignore[misc]  # TensorFlow has no types
    """A Keras model of a student that checks images and labels given as arrays, also those of `validation_data`.

    Attributes:
        student: images → logits.
        normalize: images in 0..255 → the student's input.
    """

    student: tf_keras.Model
    normalize: Callable[[tf.Tensor], tf.Tensor]

    def fit(self, x: Any = None, y: Any = None, *arguments: Any, **settings: Any) -> tf_keras.callbacks.History:
        """As for any Keras model. Images and labels in arrays are checked first, also those of `validation_data`."""
        self._check(x, y)
        given = settings.get("validation_data")
        if isinstance(given, tuple) and len(given) > 1:
            self._check(*given[:2])
        return super().fit(x, y, *arguments, **settings)

    def evaluate(self, x: Any = None, y: Any = None, *arguments: Any, **settings: Any) -> Any:
        """As for any Keras model. Images and labels in arrays are checked first."""
        self._check(x, y)
        return super().evaluate(x, y, *arguments, **settings)

    def train_on_batch(self, x: Any, y: Any = None, *arguments: Any, **settings: Any) -> Any:
        """As for any Keras model. Images and labels in arrays are checked first."""
        self._check(x, y)
        return super().train_on_batch(x, y, *arguments, **settings)

    def test_on_batch(self, x: Any, y: Any = None, *arguments: Any, **settings: Any) -> Any:
        """As for any Keras model. Images and labels in arrays are checked first."""
        self._check(x, y)
        return super().test_on_batch(x, y, *arguments, **settings)

    def _check(self, inputs: Any, labels: Any) -> None:
        if self.normalize is students.normalize:
            check_range(inputs.get("image") if isinstance(inputs, dict) else inputs)
        check_labels(labels, self.student.output_shape[-1])
