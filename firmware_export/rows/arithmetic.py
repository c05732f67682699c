"""TensorFlow Lite Micro's int8 arithmetic on the host: it computes the constants and tables of the generated C.

Sources are TFLM's: `kernels/internal/quantization_util.cc` (multipliers), `kernels/internal/common.cc` (requantization
with double rounding), `kernels/kernel_util.cc` (activation ranges), `reference/softmax.h` with gemmlowp's
`fixedpoint.h` (the exponential).
"""

import math

import numpy as np

from firmware_export.common.dense_scale import DenseScale

INT8 = (-128, 127)
_INT32 = (-(1 << 31), (1 << 31) - 1)
EXPONENT_BITS = 5
"""kScaledDiffIntegerBits: softmax's differences between codes are in Q5.26."""


def quantize_multiplier(real: float) -> tuple[int, int]:
    """The fixed-point form of a multiplier, as TFLM's `QuantizeMultiplier` computes it.

    Args:
        real: ≥ 0.

    Returns:
        `(multiplier, shift)`: real ≈ multiplier · 2^(shift − 31), the multiplier 0 or in [2^30, 2^31); a positive
        shift is to the left; (0, 0) if every bit would be shifted out.

    >>> quantize_multiplier(0.75), quantize_multiplier(2.0), quantize_multiplier(2.0**-40)
    ((1610612736, 0), (1073741824, 2), (0, 0))
    """
    if real == 0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = _round(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def requantize(x: int, multiplier: int, shift: int) -> int:
    """TFLM's `MultiplyByQuantizedMultiplier` with double rounding, in int32.

    Args:
        x: int32; `x << shift` must also fit in int32.
        multiplier: from `quantize_multiplier`.
        shift: from `quantize_multiplier`.
    """
    return divide_by_power_of_two(high_product(x << max(shift, 0), multiplier), max(-shift, 0))


def requantize_all(x: np.ndarray, multiplier: int, shift: int) -> np.ndarray:
    """`requantize` of int64 arrays that hold int32 values."""
    scaled = ((x << max(shift, 0)) * multiplier + (1 << 30)) >> 31
    places = max(-shift, 0)
    mask = (1 << places) - 1
    rounded: np.ndarray = (scaled >> places) + ((scaled & mask) > (mask >> 1) + (scaled < 0))
    return rounded


def scale_product(given: float, weights: float, dense_scale: DenseScale) -> float:
    """The product of the scales of a dense layer's input and weights, both float32 values, as TFLM computes it."""
    return float(np.float32(given) * np.float32(weights)) if dense_scale is DenseScale.FLOAT else given * weights


def activation_range(activation: str, scale: float, zero_point: int) -> tuple[int, int]:
    """The lowest and the highest int8 output code under a fused activation.

    Args:
        activation: the schema's name: NONE, RELU, RELU6 or RELU_N1_TO_1. TFLM takes any other as NONE.
        scale: of the output; a float32 value.
        zero_point: of the output.

    >>> activation_range("RELU", 0.1, -20), activation_range("RELU6", 0.05, -128)
    ((-20, 127), (-128, -8))
    """
    real_lowest, real_highest = {
        "NONE": (None, None),
        "RELU": (0.0, None),
        "RELU6": (0.0, 6.0),
        "RELU_N1_TO_1": (-1.0, 1.0),
    }.get(activation, (None, None))
    lowest, highest = INT8
    if real_lowest is not None:
        lowest = max(lowest, zero_point + quantized(real_lowest, scale))
    if real_highest is not None:
        highest = min(highest, zero_point + quantized(real_highest, scale))
    return lowest, highest


def quantized(real: float, scale: float) -> int:
    """`real / scale`, divided in float32 as TFLM does and rounded half away from zero."""
    return _round(float(np.float32(real) / np.float32(scale)))


def exponentials(input_scale: float, beta: float) -> list[int]:
    """The exponentials that softmax needs, one for each difference between two int8 codes.

    Args:
        input_scale: of the softmax's input.
        beta: the option of the softmax, usually 1.

    Returns:
        256 integers in [0, 2^31): entry d is exp(−d · input_scale · beta) in Q0.31; it is 0 for differences
        beyond the limit of TFLM (`diff_min`).

    Raises:
        ValueError: `beta * input_scale` is at most 2^−26; TFLM rejects this.
    """
    multiplier, shift = difference_scaling(input_scale, beta)
    radius = input_radius(EXPONENT_BITS, shift)
    return [exp_on_negative(requantize(-d, multiplier, shift)) if d <= radius else 0 for d in range(256)]


_EIGHTH = 1 << 28  # 1/8 in Q0.31
_EXP_OF_MINUS_EIGHTH = 1895147668
_THIRD = 715827883
# exp(-1/4), exp(-1/2), … exp(-16) in Q0.31; each is selected by a bit of the number.
_EXP_FACTORS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def difference_scaling(input_scale: float, beta: float) -> tuple[int, int]:
    """`(multiplier, shift)` of a difference between two codes, to Q5.26; arguments and errors as for `exponentials`."""
    real = min(beta * input_scale * (1 << (31 - EXPONENT_BITS)), float((1 << 31) - 1))
    if real <= 1:
        raise ValueError(f"scale {input_scale:g} times beta {beta:g}, expected more than 2^-26")
    return quantize_multiplier(real)


def exp_on_negative(a: int, integer_bits: int = EXPONENT_BITS) -> int:
    """gemmlowp's `exp_on_negative_values`, in Q0.31.

    Args:
        a: ≤ 0, with `integer_bits` bits before the point, and 31 − `integer_bits` behind it.
        integer_bits: 2 to 5.

    >>> exp_on_negative(0) / 2**31, round(exp_on_negative(-(1 << 26)) / 2**31, 5)
    (0.9999999995343387, 0.36788)
    """
    if a == 0:
        return _INT32[1]
    first_bit = 31 - integer_bits - 2
    quarter = 1 << first_bit
    remainder_of_quarter = (a & (quarter - 1)) - quarter
    result = _exp_of_less_than_a_quarter(_shift_left(remainder_of_quarter, integer_bits))
    rest = remainder_of_quarter - a
    for bit, factor in zip(range(first_bit, 31), _EXP_FACTORS, strict=False):
        if rest & (1 << bit):
            result = high_product(result, factor)
    return result


def _exp_of_less_than_a_quarter(a: int) -> int:
    """Taylor around −1/8, Q0.31 in [−1/4, 0)."""
    x = a + _EIGHTH
    x2 = high_product(x, x)
    x3 = high_product(x2, x)
    x4_over_4 = divide_by_power_of_two(high_product(x2, x2), 2)
    higher_terms = divide_by_power_of_two(high_product(x4_over_4 + x3, _THIRD) + x2, 1)
    return _EXP_OF_MINUS_EIGHTH + high_product(_EXP_OF_MINUS_EIGHTH, x + higher_terms)


def high_product(a: int, b: int) -> int:
    """(a · b) / 2^31 to nearest: gemmlowp's `SaturatingRoundingDoublingHighMul`."""
    return min((a * b + (1 << 30)) >> 31, _INT32[1])


def divide_by_power_of_two(x: int, exponent: int) -> int:
    """x / 2^exponent to nearest, half away from zero: gemmlowp's `RoundingDivideByPOT`."""
    mask = (1 << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def reciprocal(x: int) -> int:
    """1 / (1 + x), both in Q0.31: gemmlowp's `one_over_one_plus_x_for_x_in_0_1`.

    >>> round(reciprocal(1 << 30) / 2**31, 6)
    0.666667
    """
    return _shift_left(_double_reciprocal(x), 1)


def difference_ratio(x: int) -> int:
    """(1 − x) / (1 + x), both in Q0.31: gemmlowp's `one_minus_x_over_one_plus_x_for_x_in_0_1`.

    >>> round(difference_ratio(1 << 30) / 2**31, 6)
    0.333333
    """
    return _shift_left(_double_reciprocal(x) - (1 << 29), 2)


def _double_reciprocal(x: int) -> int:
    """2 / (1 + x) in Q2.29, by three of Newton's steps."""
    half_denominator = (x + _INT32[1] + 1) // 2
    result = 1515870810 + high_product(half_denominator, -1010580540)  # 48/17 and -32/17
    for _ in range(3):
        error = (1 << 29) - high_product(half_denominator, result)
        result += _shift_left(high_product(result, error), 2)
    return result


def input_radius(integer_bits: int, left_shift: int) -> int:
    """TFLM's `CalculateInputRadius`: codes at least so far from the zero point are beyond a function's range."""
    return math.floor(1.0 * ((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / (1 << left_shift))


def _shift_left(x: int, exponent: int) -> int:
    return min(max(x << exponent, _INT32[0]), _INT32[1])


def _round(x: float) -> int:
    """C's `round`: half away from zero."""
    return int(math.copysign(math.floor(abs(x) + 0.5), x))
