"""SOFTMAX and LOG_SOFTMAX over the channels of each pixel."""

from collections.abc import Sequence

import numpy as np

from firmware_export.rows import arithmetic
from firmware_export.rows.layers import Layer, Softmax
from firmware_export.rows.layers_elementwise import LogSoftmax
from firmware_export.rows.reader import Source
from firmware_export.tflite.graph import Operator

_MOST_SUMMANDS = 4095  # sums have 12 integer bits


def softmax(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """SOFTMAX."""
    beta = source.options(operator, "beta")["beta"]
    table = _exponentials(source, operator, beta, (1 / 256, -128))
    given, output = source.ends(operator)
    return [Softmax(operator.name, (given,), output, table)]


def log_softmax(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """LOG_SOFTMAX."""
    table = _exponentials(source, operator, 1.0, (16 / 256, 127))
    given, output = source.ends(operator)
    multiplier, shift = arithmetic.difference_scaling(operator.given(0).scale, 1.0)
    reverse = arithmetic.quantize_multiplier((1 << (31 - shift)) / multiplier)
    least = -arithmetic.input_radius(arithmetic.EXPONENT_BITS, shift) - 1
    return [LogSoftmax(operator.name, (given,), output, table, (multiplier, shift), reverse, least)]


def _exponentials(source: Source, operator: Operator, beta: float, expected: tuple[float, int]) -> np.ndarray:
    """The table of exponentials, if the engine can run the operator; `expected`: output scale and zero point."""
    _, output = source.ends(operator)
    if output.channels > _MOST_SUMMANDS:
        raise source.refuse(operator, f"has {output.channels} channels, expected at most {_MOST_SUMMANDS}")
    scale = operator.outputs[0].scale
    if (scale, output.zero_point) != expected:
        raise source.refuse(
            operator,
            f"has the output scale {scale:g} and zero point {output.zero_point}, expected 1/{1 / expected[0]:g} and "
            f"{expected[1]}",
        )
    try:
        return np.array(arithmetic.exponentials(operator.given(0).scale, beta), np.int32)
    except ValueError as error:
        raise source.refuse(operator, f"is out of range ({error})") from error
