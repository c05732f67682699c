"""Activation ranges of quantization-aware training, set once from the float student."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.quantization.keras import quantize_layer

from keras_satkd.models import students

WITHIN_RANGE = 0.9999
"""Part of an activation's values that its int8 codes tell apart; what lies beyond, half on each side, saturates."""


def fix_ranges(quantized: tf_keras.Model, student: tf_keras.Model, images: np.ndarray) -> None:
    """Set every activation's range, which stays fixed: `WITHIN_RANGE` of the float student's values on `images`.

    tfmot starts each at [−6, 6] and moves it by a thousandth a step towards the batch's extremes, which a fine-tuning
    of some hundred steps never finishes: the weights would adapt to a grid that is not the one they are exported
    with. And extremes are outliers: the further a grid reaches for them, the coarser it is, and the more of the part's
    own rounding, which is a matter of single codes, arrives at the logits.

    Args:
        quantized: `quantize_model(student)`.
        student: in float.
        images: uint8 [N, H, W, 3].
    """
    _fix_input_range(quantized)
    wrapped = [layer for layer in quantized.layers if layer.name.startswith("quant_")]
    ranges = {layer.name: ends for layer in wrapped if (ends := _activation_range(layer))}
    watched = {name: student.get_layer(name.removeprefix("quant_")).output for name in ranges}
    outputs = tf_keras.Model(student.inputs, watched).predict(students.normalize(images), verbose=0)
    beyond = 100 * (1 - WITHIN_RANGE) / 2
    for name, values in outputs.items():
        lowest, highest = np.percentile(values, [beyond, 100 - beyond])
        # Zero must be a code of its own (padding, ReLU), so every range holds it.
        ranges[name][0].assign(min(0.0, lowest))
        ranges[name][1].assign(max(0.0, highest))
    for layer in map(quantized.get_layer, ranges):
        # Where tfmot keeps them; it has no public way to them once a model is wrapped.
        if layer._output_quantizers:
            layer._output_quantizers = [_FixedRange()]
        for activation in layer._quantize_activations:
            activation.quantizer = _FixedRange()


def _fix_input_range(quantized: tf_keras.Model) -> None:
    """Set the input's range to [0, 1], whatever pixels the images have: int8 is then `pixel - 128`.

    tfmot takes the extremes of all images that it sees in training, which dark images would not reach.
    """
    for layer in quantized.layers:
        if isinstance(layer, quantize_layer.QuantizeLayer):
            layer.quantizer_vars["min_var"].assign(0.0)
            layer.quantizer_vars["max_var"].assign(1.0)


class _FixedRange(tfmot.quantization.keras.quantizers.MovingAverageQuantizer):  # type: ignore[misc]  # no types
    """An activation's quantizer whose range no batch moves; a saved model is loaded with tfmot's own in its place."""

    def __init__(self) -> None:
        super().__init__(num_bits=8, per_axis=False, symmetric=False, narrow_range=False)

    def __call__(self, inputs: tf.Tensor, training: bool, weights: dict[str, tf.Variable], **kwargs: Any) -> tf.Tensor:
        return super().__call__(inputs, False, weights, **kwargs)


def _activation_range(layer: tf_keras.layers.Layer) -> tuple[tf.Variable, tf.Variable] | None:
    """Lower and upper end of the range that a wrapped layer's output is quantized in; None where it is not."""
    ends = {variable.name.split("/")[-1].split(":")[0]: variable for variable in layer.variables}
    for kind in ("output", "post_activation"):
        if f"{kind}_min" in ends:
            return ends[f"{kind}_min"], ends[f"{kind}_max"]
    return None
