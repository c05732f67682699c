import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.rows import arithmetic

EXAMPLES = settings(deadline=None, derandomize=True, database=None)


@EXAMPLES
@given(st.floats(2.0**-31, 1e6))
def test_multipliers_have_thirty_one_bits(real):
    multiplier, shift = arithmetic.quantize_multiplier(real)
    assert 1 << 30 <= multiplier < 1 << 31
    assert abs(Fraction(multiplier) * Fraction(2) ** (shift - 31) / Fraction(real) - 1) <= Fraction(1, 1 << 31)


def test_multipliers_at_the_ends():
    almost_one = math.nextafter(1.0, 0.0)  # rounds up to 2^31, which int32 lacks
    assert arithmetic.quantize_multiplier(almost_one) == (1 << 30, 1)
    assert arithmetic.quantize_multiplier(0.0) == (0, 0)
    assert arithmetic.quantize_multiplier(2.0**-33) == (0, 0)


@EXAMPLES
@given(st.integers(-(1 << 24), 1 << 24), st.floats(1e-6, 4.0))
def test_requantizing_rounds_twice(x, real):
    multiplier, shift = arithmetic.quantize_multiplier(real)
    product = Fraction(x << max(shift, 0)) * multiplier / (1 << 31)
    first = math.floor(product + Fraction(1, 2))
    quotient = Fraction(first, 1 << max(-shift, 0))
    away = math.floor(abs(quotient) + Fraction(1, 2))
    assert arithmetic.requantize(x, multiplier, shift) == (away if first >= 0 else -away)


def test_double_rounding_is_not_single_rounding():
    # 3 · (2^30 − 1) / 2^32 is just below three quarters of one; twice rounded, the halves add up.
    assert arithmetic.requantize(1, (1 << 31) - 1, -1) == 1
    assert arithmetic.requantize(-1, (1 << 31) - 1, -1) == -1


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("NONE", (-128, 127)), ("RELU", (-28, 127)), ("RELU6", (-28, 32)), ("RELU_N1_TO_1", (-38, -18))],
)
def test_activation_ranges(activation, expected):
    assert arithmetic.activation_range(activation, 0.1, -28) == expected


@EXAMPLES
@given(scale=st.floats(1e-3, 0.5), beta=st.sampled_from((0.5, 1.0, 2.0)))
def test_exponentials(scale, beta):
    table = arithmetic.exponentials(scale, beta)
    assert len(table) == 256
    assert table[0] == (1 << 31) - 1
    assert sorted(table, reverse=True) == table
    for difference, value in enumerate(table):
        assert value / (1 << 31) == pytest.approx(math.exp(-difference * scale * beta), abs=1e-6)


def test_exponentials_refuse_what_tflm_refuses():
    with pytest.raises(ValueError, match=r"expected more than 2\^-26"):
        arithmetic.exponentials(2.0**-27, 1.0)


@EXAMPLES
@given(st.floats(0, 1), st.sampled_from((4, 5)))
def test_functions_of_a_share(real, integer_bits):
    x = min(round(real * (1 << 31)), (1 << 31) - 1)
    assert arithmetic.reciprocal(x) / (1 << 31) == pytest.approx(1 / (1 + real), abs=1e-6)
    assert arithmetic.difference_ratio(x) / (1 << 31) == pytest.approx((1 - real) / (1 + real), abs=1e-6)
    negative = -round(10 * real * (1 << (31 - integer_bits)))
    found = arithmetic.exp_on_negative(negative, integer_bits) / (1 << 31)
    assert found == pytest.approx(math.exp(-10 * real), abs=1e-6)


def test_how_far_inputs_may_be_from_the_zero_point():
    assert arithmetic.input_radius(4, 24) == 15 * 8
    assert arithmetic.input_radius(5, 31) == 0
