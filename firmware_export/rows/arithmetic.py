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
    return _divide_by_power_of_two(_high_product(x << max(shift, 0), multiplier), max(-shift, 0))


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
        activation: the schema's name: NONE, RELU, RELU6 or RELU_N1_TO_1.
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
    }[activation]
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
    real = min(beta * input_scale * (1 << (31 - _EXPONENT_BITS)), float((1 << 31) - 1))
    if real <= 1:
        raise ValueError(f"scale {input_scale:g} times beta {beta:g}, expected more than 2^-26")
    multiplier, shift = quantize_multiplier(real)
    radius = math.floor(1.0 * ((1 << _EXPONENT_BITS) - 1) * (1 << (31 - _EXPONENT_BITS)) / (1 << shift))
    return [exp_on_negative(requantize(-d, multiplier, shift)) if d <= radius else 0 for d in range(256)]


_EXPONENT_BITS = 5  # softmax's kScaledDiffIntegerBits: differences are in Q5.26
_QUARTER = 1 << (31 - _EXPONENT_BITS - 2)
_EIGHTH = 1 << 28  # 1/8 in Q0.31
_EXP_OF_MINUS_EIGHTH = 1895147668
_THIRD = 715827883
# exp(-1/4), exp(-1/2), … exp(-16) in Q0.31, and the bit of a Q5.26 number that selects each.
_EXP_FACTORS = tuple(
    enumerate((1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242), start=31 - _EXPONENT_BITS - 2)
)


def exp_on_negative(a: int) -> int:
    """gemmlowp's `exp_on_negative_values`: Q5.26 ≤ 0 to Q0.31.

    >>> exp_on_negative(0) / 2**31, round(exp_on_negative(-(1 << 26)) / 2**31, 5)
    (0.9999999995343387, 0.36788)
    """
    if a == 0:
        return _INT32[1]
    remainder_of_quarter = (a & (_QUARTER - 1)) - _QUARTER
    result = _exp_of_less_than_a_quarter(_shift_left(remainder_of_quarter, _EXPONENT_BITS))
    rest = remainder_of_quarter - a
    for bit, factor in _EXP_FACTORS:
        if rest & (1 << bit):
            result = _high_product(result, factor)
    return result


def _exp_of_less_than_a_quarter(a: int) -> int:
    """Taylor around −1/8, Q0.31 in [−1/4, 0)."""
    x = a + _EIGHTH
    x2 = _high_product(x, x)
    x3 = _high_product(x2, x)
    x4_over_4 = _divide_by_power_of_two(_high_product(x2, x2), 2)
    higher_terms = _divide_by_power_of_two(_high_product(x4_over_4 + x3, _THIRD) + x2, 1)
    return _EXP_OF_MINUS_EIGHTH + _high_product(_EXP_OF_MINUS_EIGHTH, x + higher_terms)


def _high_product(a: int, b: int) -> int:
    """gemmlowp's `SaturatingRoundingDoublingHighMul`."""
    return min((a * b + (1 << 30)) >> 31, _INT32[1])


def _divide_by_power_of_two(x: int, exponent: int) -> int:
    """gemmlowp's `RoundingDivideByPOT`: to nearest, half away from zero."""
    mask = (1 << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def _shift_left(x: int, exponent: int) -> int:
    return min(max(x << exponent, _INT32[0]), _INT32[1])


def _round(x: float) -> int:
    """C's `round`: half away from zero."""
    return int(math.copysign(math.floor(abs(x) + 0.5), x))
