"""Cost of a model: its size, its operations, and the time per image on this machine."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import tf_keras

from firmware_export.tflite.interpreters import TfliteInterpreter, quantize_input
from firmware_export.tflite.reader import read
from keras_satkd.models import students
from keras_satkd.models.formats.foreign import ForeignNetwork

TIMED_IMAGES = 20


def network_cost(
    network: tf_keras.Model | ForeignNetwork, logits_of: Callable[[np.ndarray], Any], images: np.ndarray
) -> dict[str, Any]:
    """Cost of a network.

    Args:
        network: the saved network; the weights of a Keras model count as four bytes each.
        logits_of: that network, compiled: images → logits.
        images: uint8 [N, H, W, 3]; some of them are timed.

    Returns:
        `parameters` (trainable), `macs` (of convolutions and dense layers), `bytes`, and `milliseconds` per image. What
        the format of a `ForeignNetwork` does not tell is None.
    """
    if isinstance(network, ForeignNetwork):
        size = {"parameters": network.parameters, "macs": None, "bytes": network.bytes}
        return size | {"milliseconds": milliseconds(logits_of, images)}
    return {
        "parameters": students.trainable_parameters(network),
        "macs": students.macs(network),
        "bytes": 4 * network.count_params(),
        "milliseconds": milliseconds(logits_of, images),
    }


def int8_cost(model: bytes, images: np.ndarray) -> dict[str, Any]:
    """Cost of an int8 `.tflite`, run by TFLite's optimized kernels; same keys as `network_cost`."""
    parsed = read(model)
    graph, interpreter = parsed.graph, TfliteInterpreter(parsed, is_reference=False)
    return {
        "parameters": graph.parameters,
        "macs": graph.macs,
        "bytes": len(model),
        "milliseconds": milliseconds(lambda image: interpreter.invoke(quantize_input(image, graph)), images),
    }


def milliseconds(logits_of: Callable[[np.ndarray], Any], images: np.ndarray) -> float:
    """Median time of a single image, after one call that is not counted.

    Args:
        logits_of: takes uint8 [1, H, W, 3].
        images: uint8 [N, H, W, 3], N ≥ 1.
    """
    logits_of(images[:1])
    seconds = []
    for image in images[:TIMED_IMAGES]:
        began = time.perf_counter()
        np.asarray(logits_of(image[np.newaxis]))
        seconds.append(time.perf_counter() - began)
    return round(1000 * median(seconds), 3)
