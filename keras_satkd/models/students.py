"""The student networks: how they are built and measured; `student_registry` knows them by name."""

from collections.abc import Callable

import tensorflow as tf
from tf_keras import Model, layers

from firmware_export import require_legacy_keras
from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.tflite.convert import load_keras
from keras_satkd.models import pretrained
from keras_satkd.models.student_checks import check_ends, check_finite
from keras_satkd.models.student_registry import find as find
from keras_satkd.models.student_registry import register as register

require_legacy_keras()

INPUT_RANGE = "0..1"
"""What `normalize` gives, as one of `input_range.INPUT_RANGES`."""


def normalize(images: tf.Tensor) -> tf.Tensor:
    """Input of a student: `x / 255`, uint8 [B, H, W, C] in 0..255 → float32 in [0, 1].

    This gives the int8 input scale 1/255 and zero point −128: firmware passes `pixel ^ 0x80` and needs no floating
    point.
    """
    return tf.cast(images, tf.float32) / 255.0


def logits_of(student: Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """A student, float or quantization-aware, as a compiled function: images [B, H, W, 3] in 0..255 → [B, C]."""

    def logits(images: tf.Tensor) -> tf.Tensor:
        return student(normalize(images), training=False)

    compiled: Callable[[tf.Tensor], tf.Tensor] = tf.function(logits, reduce_retracing=True)
    return compiled


def build(name: str, image_size: int, classes: int, initial_weights: str | None = None, *, channels: int = 3) -> Model:
    """Build a student for training.

    Args:
        name: as for `find`: `resnet8`, `resnet16`, a registered name, `package.module:function`, or a Keras file,
            whose weights are kept.
        image_size: height and width of the input in pixels.
        classes: number of logits.
        initial_weights: a trained float student of the same architecture, with any image size: its file, or the name
            of a shipped one. Its first layer is not used if its number of channels differs, nor its last if its number
            of classes does. If not given, random weights or those of the Keras file.
        channels: of the input: bands of the images.

    Returns:
        A functional model: float32 [B, image_size, image_size, channels] in [0, 1] → logits [B, classes].

    Raises:
        UserError: there is no such student, it cannot be built or has another input or output (`check_ends`), the image
            is too small for it, or the weights are another network's.
    """
    student = find(name)(image_size, classes, channels)
    check_ends(student, name, image_size, classes, channels)
    if initial_weights is not None:
        _load_initial_weights(student, name, initial_weights)
    return student


def _load_initial_weights(student: Model, name: str, path: str) -> None:
    file = pretrained.path(path)
    if file.is_file():
        digests.check_described(file)
    trained = load_keras(file)
    ours, theirs = _weighted(student), _weighted(trained)
    has_other_input = trained.input_shape[-1] != student.input_shape[-1]
    has_other_output = trained.output_shape[-1] != student.output_shape[-1]
    kept = slice(int(has_other_input), len(ours) - int(has_other_output))
    if len(ours) != len(theirs) or list(map(_kind, ours[kept])) != list(map(_kind, theirs[kept])):
        raise UserError(
            f"distillation.initial_weights is {path!r}, which is no float {student.name}: give the student.keras of a "
            f"run with --student {name}"
        )
    check_finite(trained, f"distillation.initial_weights {path!r}")
    for layer, source in zip(ours[kept], theirs[kept], strict=True):
        layer.set_weights(source.get_weights())


def _weighted(model: Model) -> list[layers.Layer]:
    return [layer for layer in model.layers if layer.weights]


def _kind(layer: layers.Layer) -> tuple[str, list[tuple[int, ...]]]:
    return type(layer).__name__, [tuple(weights.shape) for weights in layer.weights]


def trainable_parameters(model: Model) -> int:
    """Number of trainable weight elements."""
    return sum(int(tf.size(weights)) for weights in model.trainable_weights)


def macs(model: Model) -> int:
    """Multiply-accumulates of all convolution and dense layers for one image."""
    return sum(_macs_of(layer) for layer in model.layers)


def _macs_of(layer: layers.Layer) -> int:
    count: dict[type, Callable[[], int]] = {
        Model: lambda: macs(layer),
        layers.DepthwiseConv2D: lambda: layer.depthwise_kernel.shape.num_elements() * _positions(layer),
        layers.Conv2D: lambda: layer.kernel.shape.num_elements() * _positions(layer),
        layers.Dense: lambda: layer.kernel.shape.num_elements(),
    }
    for kind, number in count.items():
        if isinstance(layer, kind):
            return number()
    return 0


def _positions(layer: layers.Layer) -> int:
    return int(layer.output_shape[1] * layer.output_shape[2])
