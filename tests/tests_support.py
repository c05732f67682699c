"""Models, pictures and ports for several test modules."""

import socket
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tf_keras
from PIL import Image


def tiny_network(
    classes: int = 3, size: int = 16, seed: int = 0, activation: str | None = None, channels: int = 3
) -> tf_keras.Model:
    """A network small enough for a teacher in a quick test."""
    tf_keras.utils.set_random_seed(seed)
    layers = tf_keras.layers
    image = layers.Input((size, size, channels))
    features = layers.ReLU()(layers.Conv2D(4, 3, 4, name="convolution")(image))
    logits = layers.Dense(classes, activation=activation, name="logits")(layers.GlobalAveragePooling2D()(features))
    return tf_keras.Model(image, logits)


def small_student(image_size: int, classes: int, channels: int) -> tf_keras.Model:
    """`--student tests_support:small_student`, which trains in seconds."""
    return tiny_network(classes, image_size, channels=channels)


def by_color(size: int = 16) -> tf_keras.Model:
    """A network that finds the brightest channel, which is the class of the images of the fixture `image_set`."""
    network = tiny_network(size=size)
    kernel = np.zeros((3, 3, 3, 4), np.float32)
    kernel[1, 1, range(3), range(3)] = 1
    network.get_layer("convolution").set_weights([kernel, np.zeros(4)])
    network.get_layer("logits").set_weights([8 * np.eye(4, 3), np.zeros(3)])
    return network


def draw_colors(folder: Path, classes: Sequence[str], number: int, size: int) -> None:
    """Write `number` pictures of each of up to three classes into folders: noise, with more red, green or blue."""
    random = np.random.default_rng(0)
    for channel, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for at in range(number):
            pixels = random.integers(0, 100, (size, size, 3), np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(folder / name / f"{at}.png")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
