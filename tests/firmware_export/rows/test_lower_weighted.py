"""Operators with weights: what their layers hold, and which the row engine refuses."""

import numpy as np
import pytest
import row_models
from dense_models import dense_model, telling_scales
from int8_graphs import GraphBuilder

from firmware_export.common.dense_scale import DenseScale
from firmware_export.common.errors import UserError
from firmware_export.rows import verify
from firmware_export.rows.compile import compile_rows
from firmware_export.rows.layers_structure import TransposedConvolution
from firmware_export.rows.lower import lower
from firmware_export.tflite import interpreters
from firmware_export.tflite.reader import read
from firmware_export.verify import dense_parity

PLANE = (1, 6, 6, 4)


def _model(build):
    return row_models.model(build, PLANE)


def _convolution(builder, given):
    return builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "NONE")


def test_bias_takes_the_input_zero_point_in():
    builder = GraphBuilder()
    given = builder.activation(PLANE, (0.1, 7))
    layer = lower(read(builder.model(given, _convolution(builder, given)))).layers[0]
    weights = np.frombuffer(bytes(builder.buffers[1].data), np.int8).reshape(4, -1)
    bias = np.frombuffer(bytes(builder.buffers[2].data), np.int32)
    assert np.array_equal(layer.weights.reshape(4, -1), weights)
    assert np.array_equal(layer.bias, bias - 7 * weights.astype(int).sum(axis=1))


def test_dense_layers_flatten_for_themselves():
    layers = lower(_model(lambda b, x: b.dense(x, 3, "NONE"))).layers
    assert [layer.operator for layer in layers] == ["RESHAPE", "FULLY_CONNECTED"]
    layers = lower(_model(lambda b, x: b.dense(x, 3, "NONE", depth=4))).layers
    assert layers[-1].weights.shape == (3, 1, 1, 4)


def test_dense_layers_have_the_multiplier_of_the_chosen_version():
    """The compiled C gives the outputs of the version, for sums at which the two differ."""
    model = dense_model(*telling_scales(seed=4, count=1)[0])
    codes = np.zeros((1, 4), np.int8)
    expected = {scale: dense_parity.runner(model, scale)(codes) for scale in DenseScale}
    assert (expected[DenseScale.FLOAT] != expected[DenseScale.DOUBLE]).all()
    np.testing.assert_array_equal(expected[DenseScale.DOUBLE], interpreters.run(model, codes))
    for scale, outputs in expected.items():
        verify.check_answers(compile_rows(model, "make test", dense_scale=scale), codes, outputs)
    with pytest.raises(verify.DifferenceError):
        verify.check_answers(compile_rows(model, "make test"), codes, expected[DenseScale.FLOAT])


def test_refuses_grouped_convolutions():
    def build(builder, given):
        narrow = builder.activation((*PLANE[:3], 2), given.quantization)
        output = _convolution(builder, narrow)
        builder.operators[-1].inputs[0] = given.index
        return output

    with pytest.raises(UserError, match=r"is grouped \(weights for 2 of 4 input channels\)"):
        lower(_model(build))


def test_refuses_sums_that_do_not_fit():
    def build(builder, given):
        output = _convolution(builder, given)
        builder.buffers[2].data = np.frombuffer(np.full(4, (1 << 31) - 1000, np.int32).tobytes(), np.uint8)
        return output

    with pytest.raises(UserError, match="sums that overflow 32 bits"):
        lower(_model(build))


def test_scales_are_one_for_each_output_channel():
    model = _model(_convolution)
    (layer,) = lower(model).layers
    assert layer.multiplier.shape == layer.shift.shape == (4,)
    weights, output = model.graph.operators[0].inputs[1], model.graph.outputs[0]
    real = model.graph.inputs[0].scale * np.array(weights.scales) / output.scale
    np.testing.assert_allclose(layer.multiplier * 2.0 ** (layer.shift.astype(float) - 31), real, rtol=1e-8)


def test_a_depthwise_convolution_knows_its_multiplier():
    (layer,) = lower(_model(lambda b, x: b.convolution(x, 8, (3, 3), (1, 1), "SAME", "NONE", multiplier=2))).layers
    assert (layer.depth_multiplier, layer.weights.shape) == (2, (3, 3, 8))


def test_padding_with_zero_points_becomes_the_windows():
    def build(builder, given):
        padded = builder.pad(given, [[0, 0], [2, 1], [1, 0], [0, 0]])
        return builder.convolution(padded, 4, (3, 3), (1, 1), "VALID", "NONE")

    (layer,) = lower(_model(build)).layers
    assert (layer.window.pad_top, layer.window.pad_left) == (2, 1)
    assert (layer.inputs[0].height, layer.inputs[0].width) == PLANE[1:3]


def _transposed(builder, given):
    return builder.transposed(given, 3, (3, 3), (2, 2), (12, 12), "SAME", by_channel=True, has_bias=True)


def test_a_transposed_convolution_keeps_its_bias_and_zero_point_apart():
    (layer,) = lower(_model(_transposed)).layers
    assert isinstance(layer, TransposedConvolution)
    assert (layer.weights.shape, layer.bias.shape, layer.multiplier.shape) == ((3, 3, 3, 4), (3,), (3,))
    assert (layer.window.stride_height, layer.window.pad_top, layer.step_macs) == (2, 0, 12 * 3 * 36)


def test_refuses_transposed_convolutions_with_sums_that_do_not_fit():
    def build(builder, given):
        output = _transposed(builder, given)
        builder.buffers[-1].data = np.frombuffer(np.full(3, (1 << 31) - 1000, np.int32).tobytes(), np.uint8)
        return output

    with pytest.raises(UserError, match=r"\(TRANSPOSE_CONV, .*sums that overflow 32 bits"):
        lower(_model(build))


def test_refuses_transposed_convolutions_of_other_depths():
    def build(builder, given):
        narrow = builder.activation((*PLANE[:3], 2), given.quantization)
        output = _transposed(builder, narrow)
        builder.operators[-1].inputs[2] = given.index
        return output

    with pytest.raises(UserError, match=r"has weights of shape \[3, 3, 3, 2\] for 4 input channels"):
        lower(_model(build))
