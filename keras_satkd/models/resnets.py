"""The paper's students: CIFAR-style ResNets of 98,522 and 195,738 parameters."""

import tensorflow as tf
from tf_keras import Model, layers

from firmware_export import require_legacy_keras
from firmware_export.common.errors import UserError

require_legacy_keras()

BLOCKS = {"resnet8": (1, 1, 1), "resnet16": (2, 2, 2)}
"""Names of the students, and the number of blocks in each stage."""
CHANNELS = (16, 32, 64)


def build(name: str, image_size: int, classes: int, channels: int) -> Model:
    """A ResNet of `BLOCKS`: float32 [B, image_size, image_size, channels] in [0, 1] → float32 logits [B, classes].

    Raises:
        UserError: the image is smaller than 4 pixels.
    """
    if image_size < 4:
        raise UserError(f"data.image_size is {image_size}: give at least 4, because the student halves the image twice")
    image = layers.Input((image_size, image_size, channels), name="image")
    features = _normalized_convolution(image, CHANNELS[0], stride=1, name="stem")
    features = layers.ReLU(name="stem_relu")(features)
    for stage, (width, blocks) in enumerate(zip(CHANNELS, BLOCKS[name], strict=True), start=1):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            features = _basic_block(features, width, stride, name=f"stage{stage}_block{block}")
    features = layers.GlobalAveragePooling2D(name="pool")(features)
    # float32 at any compute precision: softmax and KL divergence need the mantissa.
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    return Model(image, logits, name=name)


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
