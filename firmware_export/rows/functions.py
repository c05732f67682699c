"""Functions of one int8 code as tables of 256 codes, each with the arithmetic of TensorFlow Lite Micro's kernel.

Sources, below `tensorflow/lite/kernels/internal/reference/`: `integer_ops/logistic.h`, `integer_ops/tanh.h`,
`hard_swish.h`, `leaky_relu.h`, `requantize.h`; the multipliers are from the `Prepare` functions in
`tensorflow/lite/micro/kernels/`. In all tables, entry 0 is for the code −128.

Multipliers are computed in double precision, as by the `tflite-micro` package. TFLM's source of August 2026 divides the
scales of RELU, LEAKY_RELU, HARD_SWISH and SUB in float32, which moves results that lie halfway between two codes.
"""

from collections.abc import Callable

import numpy as np

from firmware_export.rows import arithmetic
from firmware_export.rows.arithmetic import INT8

CODES = range(INT8[0], INT8[1] + 1)
"""The codes, in the order of a table."""

_INTEGER_BITS = 4  # of the inputs of the logistic function and of tanh
_ONE = (1 << 31) - 1  # in Q0.31


def scaling(real: float, *, factors: int = 1) -> tuple[int, int]:
    """TFLM's `(multiplier, shift)` by which a product of differences between codes is multiplied.

    Args:
        real: the factor.
        factors: the number of differences, each of eight bits and a sign.

    Raises:
        ValueError: a product may then need more than 32 bits.

    >>> scaling(0.5), scaling(2.0**20)
    ((1073741824, 0), (1073741824, 21))
    """
    multiplier, shift = arithmetic.quantize_multiplier(real)
    most = 30 - 8 * factors
    if shift > most:
        raise ValueError(f"ratio of scales {real:g}, expected less than 2^{most}")
    return multiplier, shift


def table(function: Callable[[int], int]) -> np.ndarray:
    """A function's values for all codes, limited to codes: int8 [256]."""
    return np.array([min(max(function(code), INT8[0]), INT8[1]) for code in CODES], np.int8)


def logistic(scale: float, zero_point: int) -> np.ndarray:
    """1 / (1 + exp(−x)) with the output scale 1/256 and zero point −128.

    Args:
        scale: of the input.
        zero_point: of the input.

    Raises:
        ValueError: the scale is below 2^−27.
    """

    def positive(x: int) -> int:
        return arithmetic.reciprocal(arithmetic.exp_on_negative(-x, _INTEGER_BITS))

    def in_q31(x: int) -> int:
        if x == 0:
            return 1 << 30
        return positive(x) if x > 0 else _ONE - positive(-x)

    return _saturating(scale, zero_point, lambda x: arithmetic.divide_by_power_of_two(in_q31(x), 31 - 8) - 128)


def tanh(scale: float, zero_point: int) -> np.ndarray:
    """tanh(x) with the output scale 1/128 and zero point 0; arguments and errors as for `logistic`."""

    def in_q31(x: int) -> int:
        if x == 0:
            return 0
        # Twice x has one more bit before the point.
        size = arithmetic.difference_ratio(arithmetic.exp_on_negative(-abs(x), _INTEGER_BITS + 1))
        return size if x > 0 else -size

    return _saturating(scale, zero_point, lambda x: arithmetic.divide_by_power_of_two(in_q31(x), 31 - 7))


def _saturating(scale: float, zero_point: int, function: Callable[[int], int]) -> np.ndarray:
    """The table of a function of Q4.27, with the lowest and the highest code beyond the range of that format."""
    real = scale * (1 << (31 - _INTEGER_BITS))
    if real < 1:
        raise ValueError(f"input scale {scale:g}, expected at least 2^-27")
    multiplier, shift = arithmetic.quantize_multiplier(real)
    radius = arithmetic.input_radius(_INTEGER_BITS, shift)

    def of_code(code: int) -> int:
        x = code - zero_point
        if abs(x) >= radius:
            return INT8[0] if x <= -radius else INT8[1]
        return function(arithmetic.requantize(x, multiplier, shift))

    return table(of_code)


def rescaled(ratio: float, zero_point: int, output_zero_point: int) -> np.ndarray:
    """The same numbers with another scale and zero point.

    Args:
        ratio: the input's scale divided by the output's.
        zero_point: of the input.
        output_zero_point: of the output.

    Raises:
        ValueError: the ratio is too large for 32 bits.
    """
    return leaky_relu(ratio, ratio, zero_point, output_zero_point)


def leaky_relu(ratio: float, negative_ratio: float, zero_point: int, output_zero_point: int) -> np.ndarray:
    """x · ratio for x ≥ 0, x · negative ratio for x < 0; arguments and errors as for `rescaled`."""
    factors = scaling(ratio), scaling(abs(negative_ratio))
    sign = -1 if negative_ratio < 0 else 1

    def of_code(code: int) -> int:
        x = code - zero_point
        if x >= 0:
            return arithmetic.requantize(x, *factors[0]) + output_zero_point
        return sign * arithmetic.requantize(x, *factors[1]) + output_zero_point

    return table(of_code)


def hard_swish(scale: float, zero_point: int, output_scale: float, output_zero_point: int) -> np.ndarray:
    """x · min(max(x + 3, 0), 6) / 6, in 16 bits.

    Args:
        scale: of the input.
        zero_point: of the input.
        output_scale: at least 1/128 of the input's.
        output_zero_point: of the output.

    Raises:
        ValueError: the output scale is smaller; TFLM rejects this.
    """
    of_output = arithmetic.quantize_multiplier(scale / 128 / output_scale)
    of_relu = arithmetic.quantize_multiplier(scale / 128 / (3 / 32768))
    if of_output[1] > 0:
        raise ValueError(f"output scale {output_scale:g}, expected at least 1/128 of the input scale {scale:g}")

    def of_code(code: int) -> int:
        x = (code - zero_point) * 128
        factor = (_relu_of_x_plus_3(x, *of_relu) + (1 << 15)) >> 1
        product = factor * _high_product(x, _upper_half(of_output[0]))
        truncated = abs(product) >> 15 if product >= 0 else -(abs(product) >> 15)
        return _divide_by_power_of_two(truncated, -of_output[1]) + output_zero_point

    return table(of_code)


def _relu_of_x_plus_3(x: int, multiplier: int, shift: int) -> int:
    """x / 3 in Q0.15, limited to −1 to 1."""
    result = _saturated(x << (shift - 1)) if shift > 0 else x
    result = _high_product(result, _upper_half(multiplier))
    return _saturated(result << 1) if shift > 0 else _divide_by_power_of_two(result, -shift)


# The same as in `arithmetic`, in 16 bits.


def _upper_half(multiplier: int) -> int:
    """TFLM's `DownScaleInt32ToInt16Multiplier`."""
    return min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1)


def _high_product(a: int, b: int) -> int:
    return (a * b + (1 << 14)) >> 15


def _divide_by_power_of_two(x: int, exponent: int) -> int:
    if exponent > 15:  # the mask of gemmlowp's `RoundingDivideByPOT` is −1 in 16 bits
        return 1 if x >= 0 else -1
    return arithmetic.divide_by_power_of_two(x, exponent)


def _saturated(x: int) -> int:
    return min(max(x, -(1 << 15)), (1 << 15) - 1)
