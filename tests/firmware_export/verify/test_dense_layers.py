"""Which multiplier the installed TFLM takes, and the sums for which the two differ."""

import numpy as np
import pytest
from dense_models import dense_model, telling_scales
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_graphs import GraphBuilder

from firmware_export.common.dense_scale import DenseScale
from firmware_export.rows import arithmetic
from firmware_export.tflite import interpreters, reader
from firmware_export.verify import dense_layers


@pytest.mark.parametrize(("scales", "sums"), telling_scales(seed=3, count=8))
def test_the_installed_tflm_multiplies_in_double(scales, sums):
    model = dense_model(scales, sums)
    (layer,) = dense_layers.find(model)
    codes = interpreters.run(model, np.zeros((1, 4), np.int8)[np.newaxis][0]).reshape(-1)
    np.testing.assert_array_equal(codes, layer.outputs(np.array(sums), DenseScale.DOUBLE))
    assert (codes != layer.outputs(np.array(sums), DenseScale.FLOAT)).all()


@settings(deadline=None)
@given(
    st.tuples(st.floats(0.001, 0.1), st.floats(0.0001, 0.01), st.floats(0.00005, 0.1)),
    st.sampled_from(("NONE", "RELU", "RELU6")),
)
def test_no_other_sum_tells_them_apart(scales, activation):
    """Of all sums below 2^16: exactly the telling ones, and none if the multipliers are equal."""
    layers = dense_layers.find(dense_model(scales, [0], activation))
    if not layers:
        return
    (layer,) = layers
    sums = np.arange(-(1 << 16), 1 << 16)
    differing = sums[layer.outputs(sums, DenseScale.FLOAT) != layer.outputs(sums, DenseScale.DOUBLE)]
    near = layer.telling_sums[np.abs(layer.telling_sums + 0.5) < 1 << 16]
    np.testing.assert_array_equal(differing, near)


def test_what_no_input_reaches_cannot_differ():
    scales, sums = telling_scales(seed=3, count=1)[0]
    (reached,) = dense_layers.find(dense_model(scales, sums))
    (beside,) = dense_layers.find(dense_model(scales, [sums[0] + 1 if sums[0] + 1 not in sums else sums[0] - 1]))
    assert reached.can_differ
    assert not beside.can_differ
    assert reached.distances(np.array(sums)).tolist() == [0] * len(sums)
    assert beside.distances(beside.bias).tolist() == [1]


def _shift_weights(unpacked):
    main = unpacked.subgraphs[0]
    main.tensors[main.operators[0].inputs[1]].quantization.zeroPoint = np.array([5], np.int64)


@pytest.mark.parametrize("by_channel", [False, True])
@pytest.mark.parametrize("has_bias", [False, True])
def test_sums_and_codes_are_those_of_tflm(by_channel, has_bias):
    builder = GraphBuilder(6)
    source = builder.activation((1, 40))
    model = reader.read(
        builder.model(source, builder.dense(source, 9, "RELU", by_channel=by_channel, has_bias=has_bias))
    )
    model = model if by_channel else model.edited(_shift_weights)
    layers = dense_layers.find(model)
    if by_channel:
        assert not layers
        return
    codes = np.random.default_rng(0).integers(-128, 128, (20, 40)).astype(np.int8)
    sums = layers[0].sums(codes)
    np.testing.assert_array_equal(layers[0].outputs(sums, DenseScale.DOUBLE), interpreters.run(model, codes))
    least, largest = layers[0].reachable
    assert (sums >= least).all()
    assert (sums <= largest).all()


@settings(deadline=None)
@given(st.integers(-(1 << 27), 1 << 27), st.floats(1e-7, 4))
def test_arrays_are_requantized_as_numbers(x, real):
    multiplier, shift = arithmetic.quantize_multiplier(real)
    assert arithmetic.requantize_all(np.array([x]), multiplier, shift)[0] == arithmetic.requantize(x, multiplier, shift)
