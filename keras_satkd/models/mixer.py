"""A student of gated blocks, smaller than ResNet8 in parameters, MACs and the row engine's RAM.

A block multiplies two views of its input, one of them bounded by ReLU6: the gate (arXiv 2403.19967 shows what such
products bring to small networks). Every operator is one of TensorFlow Lite Micro: CONV_2D, DEPTHWISE_CONV_2D, MUL, ADD.
The bound keeps the product within reach of int8 and of bfloat16.

In the row engine a block holds three rows of its input, and one row of each tensor inside. So rows of many pixels get
few channels and full 3×3 convolutions, short rows get many channels and depthwise ones.
"""

from dataclasses import dataclass

import tensorflow as tf
from tf_keras import Model, initializers, layers

from firmware_export import require_legacy_keras
from firmware_export.common.errors import UserError

require_legacy_keras()

SMALLEST = 8
"""Smallest image in pixels: it is halved three times."""


@dataclass(frozen=True)
class Shape:
    """Widths of the three stages, at a half, a quarter and an eighth of the image's size, and their blocks.

    Attributes:
        channels: of each stage. The first stage's blocks have full convolutions, the others' depthwise ones.
        blocks: number of blocks of each stage.
    """

    channels: tuple[int, int, int]
    blocks: tuple[int, int, int] = (2, 2, 1)


SHAPES = {
    "mixer": Shape((16, 40, 120)),
    "mixer_50k": Shape((16, 32, 72)),
    "mixer_25k": Shape((12, 24, 48)),
}
"""The students by name: a ladder of 25,000, 50,000 and 100,000 parameters."""


def build(shape: Shape, name: str, image_size: int, classes: int, channels: int) -> Model:
    """A mixer: float32 [B, image_size, image_size, channels] in [0, 1] → float32 logits [B, classes].

    Args:
        shape: its widths.
        name: of the model.
        image_size: height and width of the input in pixels.
        classes: number of logits.
        channels: of the input.

    Raises:
        UserError: the image is smaller than `SMALLEST`.
    """
    if image_size < SMALLEST:
        raise UserError(
            f"data.image_size is {image_size}: give at least {SMALLEST}, because the student halves the image thrice"
        )
    image = layers.Input((image_size, image_size, channels), name="image")
    features = _normalized(layers.Conv2D, image, "stem", filters=shape.channels[0], kernel_size=3, strides=2)
    features = layers.ReLU(name="stem_relu")(features)
    for stage, (width, blocks) in enumerate(zip(shape.channels, shape.blocks, strict=True), start=1):
        if stage > 1:
            features = _normalized(
                layers.Conv2D, features, f"stage{stage}_halved", filters=width, kernel_size=2, strides=2
            )
        for block in range(1, blocks + 1):
            features = _gated_block(features, f"stage{stage}_block{block}", is_depthwise=stage > 1)
    features = layers.GlobalAveragePooling2D(name="pool")(features)
    # float32 at any compute precision: softmax and KL divergence need the mantissa.
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    return Model(image, logits, name=name)


def _gated_block(features: tf.Tensor, name: str, *, is_depthwise: bool) -> tf.Tensor:
    """`x + W (ReLU6(g(x)) · v(x))`; g and v are 3×3 convolutions, or 1×1 ones behind a shared depthwise 3×3."""
    channels, seen, size = features.shape[-1], features, 3
    if is_depthwise:
        seen, size = _normalized(layers.DepthwiseConv2D, features, f"{name}_depthwise", kernel_size=3), 1
    gate = _normalized(layers.Conv2D, seen, f"{name}_gate", filters=channels, kernel_size=size)
    gate = layers.ReLU(6.0, name=f"{name}_gate_relu")(gate)
    value = _normalized(layers.Conv2D, seen, f"{name}_value", filters=channels, kernel_size=size)
    product = layers.Multiply(name=f"{name}_product")([gate, value])
    # A small part at first: the sum of many blocks would otherwise grow with depth.
    change = _normalized(layers.Conv2D, product, f"{name}_change", gamma=0.5, filters=channels, kernel_size=1)
    return layers.Add(name=f"{name}_add")([features, change])


def _normalized(kind: type, features: tf.Tensor, name: str, *, gamma: float = 1.0, **settings: int) -> tf.Tensor:
    features = kind(padding="same", use_bias=False, name=f"{name}_convolution", **settings)(features)
    return layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=initializers.Constant(gamma), name=f"{name}_batch_norm"
    )(features)
