"""The int8 models that `make bench-engine` measures."""

from pathlib import Path

import numpy as np

from firmware_export.tflite import convert

SIZE = 64
CLASSES = 10
SHIPPED = Path(__file__).parent.parent / "keras_satkd" / "pretrained" / "resnet8_eurosat_int8.tflite"


def resnet8_with_pointwise_shortcuts(*, has_mean: bool = True) -> bytes:
    """MLPerf Tiny's ResNet8 at 64×64: 50 M multiplications, 1×1 convolutions where a block changes shape.

    Untrained. Batch norms get random values, so that no bias is zero and channels have different ranges.

    Args:
        has_mean: end in MEAN and FULLY_CONNECTED; otherwise in AVERAGE_POOL_2D and CONV_2D, for compilers without
            MEAN.
    """
    keras, _ = convert._libraries()
    keras.utils.set_random_seed(0)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    features = _relu(keras, _convolution(keras, image, 16, 3, 1))
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        first = _relu(keras, _convolution(keras, features, channels, 3, stride))
        second = _convolution(keras, first, channels, 3, 1)
        shortcut = features if stride == 1 else _convolution(keras, features, channels, 1, stride)
        features = _relu(keras, keras.layers.Add()([second, shortcut]))
    if has_mean:
        logits = keras.layers.Dense(CLASSES)(keras.layers.GlobalAveragePooling2D()(features))
    else:
        logits = keras.layers.Conv2D(CLASSES, 1)(keras.layers.AveragePooling2D(SIZE // 4)(features))
    model = keras.Model(image, logits, name="resnet8_pointwise")
    generator = np.random.default_rng(0)
    for weight in model.weights:
        if weight.shape.rank == 1:
            floor = 1.0 if "gamma" in weight.name or "variance" in weight.name else 0.0
            weight.assign(floor + 0.3 * generator.uniform(-1, 1, weight.shape))
    return convert.float_to_int8(model, pictures(32))


def _convolution(keras, features, channels: int, kernel: int, stride: int):
    features = keras.layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False)(features)
    return keras.layers.BatchNormalization()(features)


def _relu(keras, features):
    return keras.layers.ReLU()(features)


def pictures(number: int) -> np.ndarray:
    """uint8 [number, 64, 64, 3]: smooth random surfaces, as varied as photographs."""
    generator = np.random.default_rng(1)
    coarse = generator.uniform(0, 255, (number, 6, 6, 3))
    places = np.linspace(0, 4, SIZE)
    low = places.astype(int)
    part = (places - low)[:, np.newaxis, np.newaxis]
    rows = coarse[:, low] * (1 - part) + coarse[:, low + 1] * part
    part = part.reshape(1, 1, SIZE, 1)
    return (rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part).astype(np.uint8)
