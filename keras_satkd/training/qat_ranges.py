"""Activation ranges of quantization-aware training, set once from the float student."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.quantization.keras import quantize_layer

from keras_satkd.models import students

WITHIN_RANGE = 0.9999
"""Fraction of an activation's values within its int8 range; the others, half on each side, saturate."""


def fix_ranges(quantized: tf_keras.Model, student: tf_keras.Model, images: np.ndarray) -> None:
    """Fix every activation's range so that it contains `WITHIN_RANGE` of the float student's values on `images`.

    By default, tfmot starts each range at [−6, 6] and moves it by a thousandth per step toward the batch's extremes.
    This does not converge in a fine-tuning of a few hundred steps, so the weights would adapt to another grid than the
    exported one. Extremes are also outliers: a range that includes them gives a coarser grid, so rounding differences
    of single codes on the microcontroller have a larger effect on the logits.

    Args:
        quantized: `quantize_model(student)`.
        student: the float student.
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
        # Zero must have an exact code (padding, ReLU), so every range contains it.
        ranges[name][0].assign(min(0.0, lowest))
        ranges[name][1].assign(max(0.0, highest))
    for layer in map(quantized.get_layer, ranges):
        # tfmot has no public access to the quantizers of a wrapped model.
        if layer._output_quantizers:
            layer._output_quantizers = [_FixedRange()]
        for activation in layer._quantize_activations:
            activation.quantizer = _FixedRange()


def _fix_input_range(quantized: tf_keras.Model) -> None:
    """Set the input's range to [0, 1], so that the int8 input is `pixel - 128` for any images.

    tfmot uses the extremes of all training images, and dark images would give a smaller range.
    """
    for layer in quantized.layers:
        if isinstance(layer, quantize_layer.QuantizeLayer):
            layer.quantizer_vars["min_var"].assign(0.0)
            layer.quantizer_vars["max_var"].assign(1.0)


class _FixedRange(tfmot.quantization.keras.quantizers.MovingAverageQuantizer):  # type: ignore[misc]  # no types
    """An activation quantizer with a fixed range; a loaded model has tfmot's own quantizer instead."""

    def __init__(self) -> None:
        super().__init__(num_bits=8, per_axis=False, symmetric=False, narrow_range=False)

    def __call__(self, inputs: tf.Tensor, training: bool, weights: dict[str, tf.Variable], **kwargs: Any) -> tf.Tensor:
        return super().__call__(inputs, False, weights, **kwargs)


def _activation_range(layer: tf_keras.layers.Layer) -> tuple[tf.Variable, tf.Variable] | None:
    """Lower and upper end of the quantization range of a wrapped layer's output; None if it is not quantized."""
    ends = {variable.name.split("/")[-1].split(":")[0]: variable for variable in layer.variables}
    for kind in ("output", "post_activation"):
        if f"{kind}_min" in ends:
            return ends[f"{kind}_min"], ends[f"{kind}_max"]
    return None
