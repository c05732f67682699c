"""Tiny Keras models of kinds that are typical of microcontrollers."""

import numpy as np

from firmware_export.images.generated import generated_images
from firmware_export.tflite import convert

SIZE = 16
CLASSES = 10


def _conv(keras, x, filters, stride, name, *, relu=True, kernel=3):
    x = keras.layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _separable(keras, x, filters, stride, name, ceiling=None):
    x = keras.layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = keras.layers.BatchNormalization(name=f"{name}_depthwise_bn")(x)
    x = keras.layers.ReLU(ceiling, name=f"{name}_depthwise_relu")(x)
    return _conv(keras, x, filters, 1, name, kernel=1)


def _randomized(model, seed):
    """Give biases and batch norms nonzero values, as after training: the converter drops zero ones."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.shape.rank == 1:
            floor = 1.0 if "gamma" in weight.name or "variance" in weight.name else 0.0
            weight.assign(floor + 0.2 * generator.uniform(-1, 1, weight.shape))
    return model


def build_resnet(keras, softmax=False):
    """One identity block, one strided block with a 1×1 shortcut."""
    keras.utils.set_random_seed(1)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = _conv(keras, image, 8, 1, "stem")
    y = _conv(keras, _conv(keras, x, 8, 1, "a1"), 8, 1, "a2", relu=False)
    x = keras.layers.ReLU(name="a_out")(keras.layers.Add(name="a_add")([x, y]))
    y = _conv(keras, _conv(keras, x, 16, 2, "b1"), 16, 1, "b2", relu=False)
    shortcut = _conv(keras, x, 16, 2, "b_shortcut", relu=False, kernel=1)
    x = keras.layers.ReLU(name="b_out")(keras.layers.Add(name="b_add")([shortcut, y]))
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    x = keras.layers.Dense(CLASSES, name="logits", activation="softmax" if softmax else None)(x)
    return _randomized(keras.Model(image, x, name="tiny_resnet"), 1)


def build_ds_cnn(keras):
    """Keyword spotting: a grey spectrogram, depthwise convolutions, average pooling, softmax."""
    keras.utils.set_random_seed(2)
    image = keras.Input((24, 10, 1), name="spectrogram")
    x = _conv(keras, image, 8, 2, "stem")
    x = _separable(keras, _separable(keras, x, 8, 1, "one"), 8, 1, "two")
    x = keras.layers.AveragePooling2D((12, 5), name="pool")(x)
    x = keras.layers.Dense(12, activation="softmax", name="words")(keras.layers.Flatten(name="flat")(x))
    return _randomized(keras.Model(image, x, name="ds_cnn"), 1)


def build_mobilenet(keras):
    """Visual wake words: strided depthwise convolutions, ReLU6."""
    keras.utils.set_random_seed(3)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = _conv(keras, image, 8, 2, "stem")
    x = _separable(keras, _separable(keras, x, 16, 2, "one", 6.0), 16, 1, "two", 6.0)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    return _randomized(keras.Model(image, keras.layers.Dense(2, name="person")(x), name="mobilenet"), 1)


def build_autoencoder(keras):
    """Anomaly detection: a row of samples through dense layers only, each of which may be one step off TFLM."""
    keras.utils.set_random_seed(4)
    row = keras.Input((64,), name="samples")
    x = row
    for index, units in enumerate((32, 8, 32)):
        x = keras.layers.Dense(units, activation="relu", name=f"dense_{index}")(x)
    return _randomized(keras.Model(row, keras.layers.Dense(64, name="rebuilt")(x), name="autoencoder"), 1)


def build_skipping(keras):
    """Two consecutive identity blocks with feature maps of equal size."""
    keras.utils.set_random_seed(5)
    image = keras.Input((SIZE, SIZE, 3), name="image")

    def convolution(x, filters, stride=1):
        return keras.layers.Conv2D(filters, 3, stride, padding="same", activation="relu")(x)

    x = convolution(image, 8)
    for _ in range(2):
        x = keras.layers.ReLU()(keras.layers.Add()([x, convolution(convolution(x, 8), 8)]))
    x = keras.layers.Add()([convolution(x, 16, 2), convolution(convolution(x, 16, 2), 16)])
    x = keras.layers.Dense(CLASSES)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, x, name="skipping")


BUILDERS = {
    "resnet": build_resnet,
    "ds_cnn": build_ds_cnn,
    "mobilenet": build_mobilenet,
    "autoencoder": build_autoencoder,
    "skipping": build_skipping,
}
KINDS = ("resnet", "ds_cnn", "mobilenet", "autoencoder")
"""The kinds of MLPerf Tiny."""


def quantized(keras, kind):
    """The int8 `.tflite` of a kind of model."""
    model = BUILDERS[kind](keras)
    return convert.float_to_int8(model, generated_images(model.input_shape[1:], 32, seed=7))


def settle_ranges(model, batch):
    """Move all ranges to their targets at once; a call in training mode moves them by only a thousandth."""
    ends = ("output_min:0", "output_max:0", "activation_min:0", "activation_max:0")
    ranges = [weight for weight in model.weights if weight.name.endswith(ends)]
    before = [weight.numpy() for weight in ranges]
    model(batch, training=True)
    for weight, old in zip(ranges, before, strict=True):
        weight.assign(old + 1000 * (weight.numpy() - old))
