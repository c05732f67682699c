"""The students: CIFAR-style ResNets of 98,522 and 195,738 parameters, small enough for a microcontroller."""

from collections.abc import Callable

import tensorflow as tf
from tf_keras import Model, layers

from firmware_export import require_legacy_keras
from firmware_export.common import digests
from firmware_export.common.errors import UserError, unknown_name
from firmware_export.tflite.convert import load_keras
from keras_satkd.models import pretrained

require_legacy_keras()

FIRST_LAYER, LAST_LAYER = "stem_convolution", "logits"
BLOCKS = {"resnet8": (1, 1, 1), "resnet16": (2, 2, 2)}
CHANNELS = (16, 32, 64)


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


def check_name(name: str) -> None:
    """Check that a student exists.

    Raises:
        UserError: the name is not one of `BLOCKS`.
    """
    if name not in BLOCKS:
        raise unknown_name("student", name, BLOCKS)


def build(name: str, image_size: int, classes: int, initial_weights: str | None = None, *, channels: int = 3) -> Model:
    """Build a student for training.

    Args:
        name: `resnet8` or `resnet16`.
        image_size: height and width of the input in pixels.
        classes: number of logits.
        initial_weights: a trained float student of the same name, with any image size: its file, or the name of a
            shipped one. Its first layer is not used if its number of channels differs, nor its last if its number of
            classes does. If not given, random weights.
        channels: of the input: bands of the images.

    Returns:
        A functional model: float32 [B, image_size, image_size, channels] in [0, 1] → float32 logits [B, classes].

    Raises:
        UserError: the name is unknown, the image is smaller than 4 pixels, or the weights are another network's.
    """
    check_name(name)
    if image_size < 4:
        raise UserError(f"data.image_size is {image_size}: give at least 4, because the student halves the image twice")
    image = layers.Input((image_size, image_size, channels), name="image")
    features = _normalized_convolution(image, CHANNELS[0], stride=1, name="stem")
    features = layers.ReLU(name="stem_relu")(features)
    for stage, (channels, blocks) in enumerate(zip(CHANNELS, BLOCKS[name], strict=True), start=1):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            features = _basic_block(features, channels, stride, name=f"stage{stage}_block{block}")
    features = layers.GlobalAveragePooling2D(name="pool")(features)
    # float32 at any compute precision: softmax and KL divergence need the mantissa.
    logits = layers.Dense(classes, dtype="float32", name=LAST_LAYER)(features)
    student = Model(image, logits, name=name)
    if initial_weights is not None:
        _load_initial_weights(student, initial_weights)
    return student


def _load_initial_weights(student: Model, path: str) -> None:
    file = pretrained.path(path)
    if file.is_file():
        digests.check_described(file)
    trained = load_keras(file)
    weights = {layer.name: layer.get_weights() for layer in trained.layers}
    if list(weights) != [layer.name for layer in student.layers]:
        raise UserError(
            f"distillation.initial_weights is {path!r}, which is no float {student.name}: give the student.keras of a "
            f"run with --student {student.name}"
        )
    if trained.output_shape[-1] != student.output_shape[-1]:
        del weights[LAST_LAYER]
    if trained.input_shape[-1] != student.input_shape[-1]:
        del weights[FIRST_LAYER]
    for name, values in weights.items():
        student.get_layer(name).set_weights(values)


def _basic_block(features: tf.Tensor, channels: int, stride: int, name: str) -> tf.Tensor:
    shortcut = features
    if stride != 1 or features.shape[-1] != channels:
        # The authors' shortcut is a 3×3 convolution; the usual 1×1 does not give their parameter counts.
        shortcut = _normalized_convolution(features, channels, stride, name=f"{name}_shortcut")
    features = _normalized_convolution(features, channels, stride, name=f"{name}_first")
    features = layers.ReLU(name=f"{name}_first_relu")(features)
    features = _normalized_convolution(features, channels, stride=1, name=f"{name}_second")
    features = layers.Add(name=f"{name}_add")([features, shortcut])
    return layers.ReLU(name=f"{name}_relu")(features)


def _normalized_convolution(features: tf.Tensor, channels: int, stride: int, name: str) -> tf.Tensor:
    features = layers.Conv2D(
        channels, 3, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_convolution"
    )(features)
    # Momentum 0.9: with Keras' 0.99, the statistics would not converge in a demo's few hundred steps.
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_batch_norm")(features)


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
