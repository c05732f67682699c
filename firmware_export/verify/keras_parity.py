"""Compare a quantization-aware Keras model with the int8 model that was converted from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.steps import step
from firmware_export.tflite import interpreters
from firmware_export.tflite.graph import Graph, Tensor
from firmware_export.tflite.interpreters import TfliteInterpreter
from firmware_export.tflite.model import Model

LEAST_WITHIN_ONE_STEP = 0.99
LARGEST_DIFFERENCE = 3
"""Output steps."""

_BATCH = 64


@dataclass(frozen=True)
class KerasParity:
    """The result of the comparison; differences are in output quantization steps."""

    images: int
    elements: int
    differing: int
    beyond_one_step: int
    largest_difference: int
    class_changes: int
    """Images whose class differs; their two highest outputs are within `2 * largest_difference` steps."""


@step("comparing with the Keras model")
def check_keras(keras_model: Any, model: Model, codes: np.ndarray, outputs: np.ndarray) -> KerasParity:
    """Compare a quantization-aware model's outputs with those of TFLM.

    At least 99 % of the outputs must be within one output step, and none may differ by more than three. A stricter
    limit is not possible with int8: TFLM rounds twice where fake quantization rounds once
    (`kernels/internal/common.h`, `MultiplyByQuantizedMultiplier`). This changes about one value in a thousand by one
    code, and every later 3×3 window spreads the change. After long training, a third of the outputs differ by one step
    and one in two hundred by two. A single wrong weight changes most outputs by many steps.

    Args:
        keras_model: quantization-aware, float32 [batch, …] in [0, 1].
        model: the int8 model converted from it.
        codes: int8 [N, …]: the images as input codes of the int8 model.
        outputs: int8 [N, …]: TFLM's outputs for them.

    Raises:
        UserError: the models disagree; the message names the first layer that differs.
    """
    graph = model.graph
    expected = quantize(_predict(keras_model, graph, codes), graph.outputs[0])
    if expected.shape != outputs.shape:
        raise UserError(
            f"the Keras model's output is {list(expected.shape[1:])}, the int8 model's {list(outputs.shape[1:])}: "
            "give the model that the .tflite was converted from"
        )
    difference = np.abs(expected.astype(int) - outputs.astype(int)).reshape(len(outputs), -1)
    worst, beyond = int(difference.max()), int(np.count_nonzero(difference > 1))
    if worst > LARGEST_DIFFERENCE or beyond > (1 - LEAST_WITHIN_ONE_STEP) * difference.size:
        image = int(difference.max(axis=1).argmax())
        layer = _first_departing_layer(keras_model, model, codes[image : image + 1])
        raise UserError(
            f"the Keras model and the int8 one disagree by {worst} output steps on image {image} and by more than one "
            f"in {beyond / difference.size:.1%} of the outputs ({LARGEST_DIFFERENCE} and "
            f"{1 - LEAST_WITHIN_ONE_STEP:.0%} allowed); {layer}: convert this Keras model again; in a run, use more "
            "--quantization.calibration-images, or train the student longer in a new --workdir; with QAT of your own, "
            "train until its ranges are stable"
        )
    changes = _class_changes(expected.reshape(len(outputs), -1), outputs.reshape(len(outputs), -1))
    return KerasParity(len(outputs), difference.size, int(np.count_nonzero(difference)), beyond, worst, changes)


def quantize(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Convert real values to the nearest int8 codes of a tensor, saturated."""
    return np.clip(np.round(values / tensor.scale) + tensor.zero_point, -128, 127).astype(np.int8)


def _class_changes(expected: np.ndarray, outputs: np.ndarray) -> int:
    return int(np.count_nonzero(expected.argmax(axis=1) != outputs.argmax(axis=1)))


def _real_input(graph: Graph, codes: np.ndarray) -> np.ndarray:
    tensor = graph.inputs[0]
    if graph.has_unit_input:  # the code's own value would differ by the rounding of the scale
        values = interpreters.pixel_values(graph.input_range or "")[0].astype(np.float32)
        return np.take(values, codes.view(np.uint8) ^ np.uint8(0x80))
    return ((codes.astype(np.float64) - tensor.zero_point) * tensor.scale).astype(np.float32)


def _predict(keras_model: Any, graph: Graph, codes: np.ndarray) -> np.ndarray:
    shape = tuple(keras_model.input_shape[1:])
    if shape != codes.shape[1:]:
        raise UserError(
            f"the Keras model's input is {list(shape)}, the int8 model's {list(codes.shape[1:])}: "
            "give the model that the .tflite was converted from"
        )
    images = _real_input(graph, codes)
    batches = [keras_model(images[start : start + _BATCH], training=False) for start in range(0, len(images), _BATCH)]
    return np.concatenate([np.asarray(batch) for batch in batches])


def _first_departing_layer(keras_model: Any, model: Model, codes: np.ndarray) -> str:
    """Compare both models layer by layer; the converter names a tensor after the Keras layers that it came from.

    Ties that round differently are normal inside a network. They add up to a few steps in some values, in a deep
    network in a tenth of them. A layer therefore counts as different if its codes differ by half a step on average.
    """
    import tf_keras

    graph = model.graph
    reference = TfliteInterpreter(model, is_reference=True)
    reference.invoke(codes)
    images = _real_input(graph, codes)
    for operator in graph.operators:
        tensor = operator.outputs[0]
        layer = _layer_of(keras_model, tensor)
        if layer is None or len(tensor.scales) != 1:
            continue
        value = np.asarray(tf_keras.Model(keras_model.inputs, layer.output)(images, training=False))
        difference = np.abs(quantize(value, tensor).astype(int) - reference.tensor(tensor.index).astype(int))
        if difference.mean() > 0.5:
            return f"the first layer that differs is {layer.name!r} ({operator.label})"
    return f"no layer before the output {graph.outputs[0].name!r} differs by half a step on average"


def _layer_of(keras_model: Any, tensor: Tensor) -> Any | None:
    parts = {part for name in tensor.name.split(";") for part in name.split("/")}
    # A fused tensor has the names of several layers; its values are the output of the last one.
    named = [
        layer for layer in keras_model.layers if layer.name in parts and layer.output_shape[1:] == tensor.shape[1:]
    ]
    return named[-1] if named else None
