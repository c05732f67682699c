"""SOFTMAX and LOG_SOFTMAX compute what TensorFlow Lite Micro computes, or are refused."""

import elementwise_graphs as graphs
import pytest
import row_models
import rows_server
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.rows.layers_elementwise import LogSoftmax
from firmware_export.rows.lower import lower

A_PROGRAM = 10
CASES = settings(max_examples=24, deadline=None, derandomize=True, database=None)


@st.composite
def _cases(draw, build):
    size = st.integers(1, 5)
    shape = draw(st.one_of(st.tuples(st.just(1), size, size, size), st.tuples(st.just(1), st.integers(1, 300))))
    return build, shape, draw(graphs.quantizations()), draw(st.integers(0, 2**32 - 1))


FUNCTIONS = {
    "SOFTMAX": lambda builder, x: builder.softmax(x),
    "LOG_SOFTMAX": lambda builder, x: graphs.function(builder, "LOG_SOFTMAX", x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_softmaxes(server, name):
    @CASES
    @given(st.lists(_cases(FUNCTIONS[name]), min_size=A_PROGRAM, max_size=A_PROGRAM))
    def test(drawn):
        rows_server.check(server, drawn)

    test()


def _lowered(build, shape=(1, 10), quantization=(0.1, 0)):
    return lower(row_models.model(build, shape, quantization=quantization)).layers[-1]


def test_what_a_log_softmax_knows():
    layer = _lowered(FUNCTIONS["LOG_SOFTMAX"])
    assert isinstance(layer, LogSoftmax)
    assert layer.least_difference == -249  # exp(-24.9) does not count
    multiplier, shift = layer.scaling
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(0.1 * 2**26)
    multiplier, shift = layer.reverse_scaling
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(1 / (0.1 * 2**26))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_too_many_channels_are_refused(name):
    with pytest.raises(UserError, match=rf"\({name}, .*has 4096 channels, expected at most 4095"):
        _lowered(FUNCTIONS[name], shape=(1, 4096))


@pytest.mark.parametrize(
    ("name", "expected"), [("SOFTMAX", "expected 1/256 and -128"), ("LOG_SOFTMAX", "expected 1/16 and 127")]
)
def test_other_outputs_are_refused(name, expected):
    def build(builder, x):
        output = FUNCTIONS[name](builder, x)
        builder.tensors[output.index].quantization.zeroPoint[0] = 5
        return output

    with pytest.raises(UserError, match=expected):
        _lowered(build)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_scales_that_tflm_refuses_are_refused(name):
    with pytest.raises(UserError, match="is out of range"):
        _lowered(FUNCTIONS[name], quantization=(2.0**-27, 0))
