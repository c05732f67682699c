"""Whether a network can be a student at all: its input, its output, and whether there is something to train."""

import numpy as np
import tf_keras

from firmware_export.common.errors import UserError
from firmware_export.tflite.convert import check_name, stated_range


def check_ends(student: tf_keras.Model, name: str, image_size: int, classes: int, channels: int) -> None:
    """Refuse a network that the images do not fit, or whose outputs are no logits of the classes.

    Args:
        student: the network.
        name: as the user gave it.
        image_size: height and width of the images in pixels.
        classes: number of classes.
        channels: bands of the images.

    Raises:
        UserError: it is no functional or sequential model, has a name that TensorFlow does not take, several inputs or
            outputs, a fixed batch, another input or output shape, a layer that divides pixels by 255, a function at its
            end instead of logits, no trainable weights, or weights that are NaN or infinite.
    """
    what = f"student {name}"
    check_name(student, what)
    if not student._is_graph_network:
        raise UserError(f"{what} is a subclass of tf_keras.Model: write it as a functional or sequential model")
    for kind, ends in (("input", student.inputs), ("output", student.outputs)):
        if len(ends) != 1:
            raise UserError(f"{what} has {len(ends)} {kind}s: give a network with one {kind}")
    given, wanted = tuple(student.inputs[0].shape), (None, image_size, image_size, channels)
    if len(given) == 4 and given[0] is not None:
        raise UserError(
            f"{what} has a fixed batch, input shape {given}: leave the batch variable, with layers.Input({wanted[1:]})"
        )
    if given != wanted:
        raise UserError(
            f"{what} has input shape {given}, but the images give {wanted} (batch, height, width, bands): change the "
            "student, or --data.image-size and --data.bands"
        )
    if tuple(student.outputs[0].shape) != (None, classes):
        raise UserError(
            f"{what} has output shape {tuple(student.outputs[0].shape)}, but the images have {classes} classes: give a "
            f"network whose output is {(None, classes)}"
        )
    if stated_range(student) == "0..255":
        raise UserError(f"{what} divides pixels by 255 itself, but students get images in 0..1: remove that layer")
    if function := function_at_end(student):
        raise UserError(f"{what} ends in a {function}, but the loss needs logits: remove it")
    if not student.trainable_weights:
        raise UserError(f"{what} has no trainable weights: set trainable = True on layers that have weights")
    check_finite(student, what)


def function_at_end(student: tf_keras.Model) -> str | None:
    """The name of the function that the last layer applies, such as `softmax`; None if its outputs can be logits."""
    last = student.layers[-1] if student.layers else student
    if isinstance(last, tf_keras.layers.Softmax | tf_keras.layers.ReLU):
        return type(last).__name__.lower()
    activation = getattr(last, "activation", None)
    if activation is None or activation is tf_keras.activations.linear:
        return None
    return str(getattr(activation, "__name__", type(activation).__name__))


def check_finite(network: tf_keras.Model, what: str) -> None:
    """Refuse a network with weights from which nothing can be learned.

    Raises:
        UserError: weights are NaN or infinite.
    """
    broken = next((layer.name for layer in network.layers if not all(map(_is_finite, layer.get_weights()))), None)
    if broken is not None:
        raise UserError(f"{what} has weights that are NaN or infinite, in its layer {broken!r}: give another file")


def _is_finite(weights: np.ndarray) -> bool:
    return not np.issubdtype(weights.dtype, np.inexact) or bool(np.isfinite(weights).all())
