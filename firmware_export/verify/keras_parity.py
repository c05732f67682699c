"""A quantization-aware Keras model against the int8 model that was converted from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.tflite.graph import Graph, Tensor
from firmware_export.tflite.interpreters import TfliteInterpreter
from firmware_export.tflite.model import Model

LEAST_WITHIN_ONE_STEP = 0.99
LARGEST_DIFFERENCE = 3
"""Output steps."""

_BATCH = 64


@dataclass(frozen=True)
class KerasParity:
    """What the comparison found; differences are in output quantization steps."""

    images: int
    elements: int
    differing: int
    beyond_one_step: int
    largest_difference: int
    class_changes: int
    """Images whose class differs, each between two classes that lie within `2 * largest_difference` steps."""


def check_keras(keras_model: Any, model: Model, codes: np.ndarray, outputs: np.ndarray) -> KerasParity:
    """Compare a quantization-aware model's outputs with what a microcontroller computes.

    The rule: 99 % of the outputs lie within one output step, and none is more than three away. More cannot be asked
    of int8: the part rounds twice where fake quantization rounds once (TFLM `kernels/internal/common.h`,
    `MultiplyByQuantizedMultiplier`), which moves about one value in a thousand by a code, and every later 3×3 window
    spreads that. Models that were trained long show a third of their outputs one step off and one in two hundred two
    off; a wrong weight anywhere moves most of them by many.

    Args:
        keras_model: quantization-aware, float32 [batch, …] in [0, 1].
        model: the int8 model made from it.
        codes: int8 [N, …]: the images, as the int8 model reads them.
        outputs: int8 [N, …]: TFLM's outputs for them.

    Raises:
        UserError: they disagree; the message names the first layer that departs.
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
            f"{1 - LEAST_WITHIN_ONE_STEP:.0%} allowed); {layer}: convert again from this very model, or train it "
            "longer so that its ranges settle"
        )
    changes = _class_changes(expected.reshape(len(outputs), -1), outputs.reshape(len(outputs), -1))
    return KerasParity(len(outputs), difference.size, int(np.count_nonzero(difference)), beyond, worst, changes)


def quantize(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Real values to the nearest int8 codes of a tensor, saturated."""
    return np.clip(np.round(values / tensor.scale) + tensor.zero_point, -128, 127).astype(np.int8)


def _class_changes(expected: np.ndarray, outputs: np.ndarray) -> int:
    return int(np.count_nonzero(expected.argmax(axis=1) != outputs.argmax(axis=1)))


def _real_input(graph: Graph, codes: np.ndarray) -> np.ndarray:
    tensor = graph.inputs[0]
    scale = 1 / 255 if graph.has_unit_input else tensor.scale
    return ((codes.astype(np.float64) - tensor.zero_point) * scale).astype(np.float32)


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
    """Walk both models in execution order; the converter names a tensor after the Keras layers it came from.

    Ties rounded the other way are normal inside a network and add up to a few steps here and there, in a deep one in a
    tenth of all values; so a layer departs when its codes are off by half a step on average.
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
            return f"the first layer that departs is {layer.name!r} ({operator.label})"
    return f"no layer before the output {graph.outputs[0].name!r} departs by half a step on average"


def _layer_of(keras_model: Any, tensor: Tensor) -> Any | None:
    parts = {part for name in tensor.name.split(";") for part in name.split("/")}
    # A fused tensor bears several layers' names: the last of them is the one it ends with.
    named = [
        layer for layer in keras_model.layers if layer.name in parts and layer.output_shape[1:] == tensor.shape[1:]
    ]
    return named[-1] if named else None
