"""A student as a quantization-aware model, with rules for layers that tfmot leaves out."""

import re

import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import default_8bit_quantize_configs

from firmware_export.common.errors import UserError
from firmware_export.common.templating import one_line

_OUTPUT, _NOTHING = (
    default_8bit_quantize_configs.Default8BitOutputQuantizeConfig,
    default_8bit_quantize_configs.NoOpQuantizeConfig,
)
_CONFIGS = {
    tf_keras.layers.Multiply: _OUTPUT,
    tf_keras.layers.Subtract: _OUTPUT,
    # Their outputs are codes of their inputs, so they have no range of their own.
    tf_keras.layers.Maximum: _NOTHING,
    tf_keras.layers.Minimum: _NOTHING,
}
"""How layers that tfmot refuses are quantized; all others as tfmot does it."""


def quantization_aware(student: tf_keras.Model) -> tf_keras.Model:
    """The student with simulated int8 weights and activations, and with folded batch norms.

    Args:
        student: functional or sequential; its weights are copied.

    Returns:
        A model with the same input and output; its layers are called `quant_…` after the student's.

    Raises:
        UserError: it has a layer that cannot be quantized; the message names it.
    """
    quantization = tfmot.quantization.keras

    def annotated(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        config = _CONFIGS.get(type(layer))
        return quantization.quantize_annotate_layer(layer, None if config is None else config())

    for layer in student.layers:
        if isinstance(layer, tf_keras.Model):
            raise UserError(
                f"student {student.name}: {layer.name!r} is a model within the model: use its layers instead"
            )
        if isinstance(layer, tf_keras.layers.SeparableConv2D):  # tfmot divides it into layers of other names
            raise UserError(
                f"student {student.name}: {layer.name!r} is a SeparableConv2D: use a DepthwiseConv2D and a Conv2D"
            )
    try:
        with quantization.quantize_scope():
            return quantization.quantize_apply(tf_keras.models.clone_model(student, clone_function=annotated))
    except (RuntimeError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"student {student.name} cannot be quantized: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What tfmot says on its first line, with what to do."""
    text = one_line(str(error))
    found = re.search(r"Layer (\S+?):<class '(?:\S+\.)?(\w+)'> is not supported", text)
    if found is None:
        return f"{text[:200]}; use other layers, or --quantization.epochs 0"
    name, kind = found.groups()
    return (
        f"layer {name!r} is a {kind}, which quantization-aware training lacks: use Conv2D, DepthwiseConv2D, Dense, "
        "BatchNormalization after one of them, ReLU, Add, Multiply, Concatenate or pooling, or --quantization.epochs 0"
    )
