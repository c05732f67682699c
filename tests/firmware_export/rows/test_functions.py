"""The tables are TensorFlow Lite Micro's kernels on all 256 codes."""

import elementwise_graphs as graphs
import numpy as np
import pytest
import row_models
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.rows import functions
from firmware_export.tflite import interpreters

CASES = settings(max_examples=250, deadline=None, derandomize=True, database=None)
ALL = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
QUANTIZATIONS = graphs.quantizations()
ALPHAS = st.one_of(st.sampled_from((0.1, 0.2, 0.25, 0.3, -0.5)), st.floats(-2, 2)).map(lambda x: float(np.float32(x)))
RATIOS = st.one_of(graphs.fractions(), st.floats(-4, 4).map(lambda exponent: 10**exponent))


def _tflm(name, quantization, output=None, **options):
    """The outputs for all codes; None if TFLM refuses the operator."""
    model = row_models.model(
        lambda b, x: graphs.function(b, name, x, output, **options), (1, 256), quantization=quantization
    )
    try:
        return interpreters.run(model, ALL).reshape(-1)
    except UserError:
        return None


@CASES
@given(QUANTIZATIONS)
def test_logistic(quantization):
    assert np.array_equal(functions.logistic(*quantization), _tflm("LOGISTIC", quantization))


@CASES
@given(QUANTIZATIONS)
def test_tanh(quantization):
    assert np.array_equal(functions.tanh(*quantization), _tflm("TANH", quantization))


@CASES
@given(QUANTIZATIONS, RATIOS, st.integers(-128, 127))
def test_hard_swish(quantization, ratio, output_zero_point):
    scale, zero_point = quantization
    output_scale = float(np.float32(scale * ratio))
    expected = _tflm("HARD_SWISH", quantization, (output_scale, output_zero_point))
    if expected is None:
        with pytest.raises(ValueError, match="expected at least 1/128 of the input scale"):
            functions.hard_swish(scale, zero_point, output_scale, output_zero_point)
    else:
        assert np.array_equal(functions.hard_swish(scale, zero_point, output_scale, output_zero_point), expected)


@CASES
@given(QUANTIZATIONS, RATIOS, st.integers(-128, 127))
def test_rescaled_positive_numbers(quantization, ratio, output_zero_point):
    scale, zero_point = quantization
    output_scale = float(np.float32(scale * ratio))
    table = functions.rescaled(scale / output_scale, zero_point, output_zero_point)
    expected = _tflm("RELU", quantization, (output_scale, output_zero_point))
    assert np.array_equal(np.maximum(table, output_zero_point), expected)


@CASES
@given(QUANTIZATIONS, RATIOS, st.integers(-128, 127), ALPHAS)
def test_leaky_relu(quantization, ratio, output_zero_point, alpha):
    scale, output_scale = quantization[0], float(np.float32(quantization[0] * ratio))
    ratios = scale / output_scale, scale * alpha / output_scale
    expected = _tflm("LEAKY_RELU", quantization, (output_scale, output_zero_point), alpha=alpha)
    assert np.array_equal(functions.leaky_relu(*ratios, quantization[1], output_zero_point), expected)


@CASES
@given(QUANTIZATIONS, RATIOS, st.integers(-128, 127))
def test_rescaled(quantization, ratio, output_zero_point):
    scale, zero_point = quantization
    output_scale = float(np.float32(scale * ratio))
    expected = _tflm("QUANTIZE", quantization, (output_scale, output_zero_point))
    assert np.array_equal(functions.rescaled(scale / output_scale, zero_point, output_zero_point), expected)


def test_values_are_those_of_the_functions():
    x = (np.arange(-128, 128) - 5) * 0.05
    assert np.allclose((functions.logistic(0.05, 5) + 128.0) / 256, 1 / (1 + np.exp(-x)), atol=1 / 256)
    assert np.allclose(functions.tanh(0.05, 5) / 128.0, np.tanh(x), atol=1 / 128)
    swish = x * np.clip(x + 3, 0, 6) / 6
    assert np.allclose((functions.hard_swish(0.05, 5, 0.03, -100) + 100.0) * 0.03, np.minimum(swish, 6.81), atol=0.03)


@pytest.mark.parametrize("function", [functions.logistic, functions.tanh])
def test_scales_below_the_format_are_refused(function):
    with pytest.raises(ValueError, match=r"expected at least 2\^-27"):
        function(2.0**-28, 0)


def test_products_of_more_than_32_bits_are_refused():
    assert functions.scaling(2.0**13, factors=2)[1] == 14
    with pytest.raises(ValueError, match=r"expected less than 2\^14"):
        functions.scaling(2.0**14, factors=2)
    with pytest.raises(ValueError, match=r"expected less than 2\^22"):
        functions.rescaled(2.0**22, 0, 0)


def test_tables_are_limited_to_codes():
    assert functions.table(lambda code: 2 * code).tolist() == [min(max(2 * c, -128), 127) for c in range(-128, 128)]
