"""Compare a quantization-aware Keras model with the int8 model that was converted from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.steps import step
from firmware_export.tflite.graph import Graph
from firmware_export.tflite.model import Model
from firmware_export.verify.layer_parity import first_departure, quantize, real_input

LEAST_WITHIN_ONE_STEP = 0.99
LARGEST_DIFFERENCE = 3
"""Output steps."""

LAYERS_AGREE = "this is rounding: on equal inputs, each layer agrees within one step"
"""What reports say of models with `is_rounding_alone`."""

_BATCH = 64
_LAYER_IMAGES = 16
"""Those with the largest differences, on which layers are compared one by one."""


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
    is_rounding_alone: bool = False
    """Whether the outputs differ by more than the limits, and each layer, on equal inputs, by rounding alone."""


@step("comparing with the Keras model")
def check_keras(keras_model: Any, model: Model, codes: np.ndarray, outputs: np.ndarray) -> KerasParity:
    """Compare a quantization-aware model's outputs with those of TFLM.

    At least 99 % of the outputs must be within one output step, and none may differ by more than three. A stricter
    limit is not possible with int8: TFLM rounds twice where fake quantization rounds once
    (`kernels/internal/common.h`, `MultiplyByQuantizedMultiplier`). This changes about one value in a thousand by one
    code, and every later 3×3 window spreads the change. After long training, a third of the outputs differ by one step
    and one in two hundred by two. A single wrong weight changes most outputs by many steps.

    In networks of high gain, rounding alone goes beyond these limits. If the outputs do, layers are compared one by one
    on the inputs that the int8 model gives them (`layer_parity`), and the models agree if every layer does.

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
    is_beyond = worst > LARGEST_DIFFERENCE or beyond > (1 - LEAST_WITHIN_ONE_STEP) * difference.size
    if is_beyond:
        by_image = np.argsort(-difference.max(axis=1), kind="stable")
        departure = first_departure(keras_model, model, codes[by_image[:_LAYER_IMAGES]])
        if departure:
            raise UserError(
                f"the Keras model and the int8 one disagree by {worst} output steps on image {by_image[0]} and by more "
                f"than one in {beyond / difference.size:.1%} of the outputs ({LARGEST_DIFFERENCE} and "
                f"{1 - LEAST_WITHIN_ONE_STEP:.0%} allowed); {departure}: convert this Keras model again; in a run, use "
                "more --quantization.calibration-images, or train the student longer in a new --workdir; with QAT of "
                "your own, train until its ranges are stable"
            )
    changes = _class_changes(expected.reshape(len(outputs), -1), outputs.reshape(len(outputs), -1))
    differing = int(np.count_nonzero(difference))
    return KerasParity(len(outputs), difference.size, differing, beyond, worst, changes, is_beyond)


def _class_changes(expected: np.ndarray, outputs: np.ndarray) -> int:
    return int(np.count_nonzero(expected.argmax(axis=1) != outputs.argmax(axis=1)))


def _predict(keras_model: Any, graph: Graph, codes: np.ndarray) -> np.ndarray:
    shape = tuple(keras_model.input_shape[1:])
    if shape != codes.shape[1:]:
        raise UserError(
            f"the Keras model's input is {list(shape)}, the int8 model's {list(codes.shape[1:])}: "
            "give the model that the .tflite was converted from"
        )
    images = real_input(graph, codes)
    batches = [keras_model(images[start : start + _BATCH], training=False) for start in range(0, len(images), _BATCH)]
    return np.concatenate([np.asarray(batch) for batch in batches])
