"""Whether a network can be a student at all: its input, its output, and whether there is something to train."""

import tf_keras

from firmware_export.common.errors import UserError
from firmware_export.tflite.convert import stated_range


def check_ends(student: tf_keras.Model, name: str, image_size: int, classes: int, channels: int) -> None:
    """Refuse a network that the images do not fit, or whose outputs are no logits of the classes.

    Args:
        student: the network.
        name: as the user gave it.
        image_size: height and width of the images in pixels.
        classes: number of classes.
        channels: bands of the images.

    Raises:
        UserError: it is no functional or sequential model, has several inputs or outputs, a fixed batch, another input
            or output shape, a layer that divides pixels by 255, a softmax at its end, or no trainable weights.
    """
    what = f"student {name}"
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
    if _ends_in_softmax(student.layers[-1]):
        raise UserError(f"{what} ends in a softmax, but the loss needs logits: remove it")
    if not student.trainable_weights:
        raise UserError(f"{what} has no trainable weights: set trainable = True on layers that have weights")


def _ends_in_softmax(last: tf_keras.layers.Layer) -> bool:
    activation = getattr(last, "activation", None)
    return isinstance(last, tf_keras.layers.Softmax) or activation is tf_keras.activations.softmax
