import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from int8_graphs import GraphBuilder

from firmware_export.common.errors import UserError
from firmware_export.rows.lower import lower
from firmware_export.tflite.reader import read

PLANE = (1, 6, 6, 4)


def _model(build, shape=PLANE):
    builder = GraphBuilder()
    given = builder.activation(shape)
    return read(builder.model(given, build(builder, given)))


def _convolution(builder, given):
    return builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "NONE")


def _edit_options(model, edit_model, **changes):
    def edit(content):
        for name, value in changes.items():
            setattr(content.subgraphs[0].operators[0].builtinOptions, name, value)

    return read(edit_model(model, edit))


def test_bias_takes_the_input_zero_point_in():
    builder = GraphBuilder()
    given = builder.activation(PLANE, (0.1, 7))
    layer = lower(read(builder.model(given, _convolution(builder, given)))).layers[0]
    weights = np.frombuffer(bytes(builder.buffers[1].data), np.int8).reshape(4, -1)
    bias = np.frombuffer(bytes(builder.buffers[2].data), np.int32)
    assert np.array_equal(layer.weights.reshape(4, -1), weights)
    assert np.array_equal(layer.bias, bias - 7 * weights.astype(int).sum(axis=1))


def test_what_does_not_lead_to_the_output_is_left_out():
    def build(builder, given):
        builder.relu("RELU", given)
        return builder.mean(given)

    assert [layer.operator for layer in lower(_model(build)).layers] == ["MEAN"]


def test_dense_layers_flatten_for_themselves():
    layers = lower(_model(lambda b, x: b.dense(x, 3, "NONE"))).layers
    assert [layer.operator for layer in layers] == ["RESHAPE", "FULLY_CONNECTED"]
    layers = lower(_model(lambda b, x: b.dense(x, 3, "NONE", depth=4))).layers
    assert layers[-1].weights.shape == (3, 1, 1, 4)


def test_refuses_operators_that_it_lacks():
    def build(builder, given):
        return builder.operator("LOGISTIC", [given.index], builder.activation(given.shape, (1 / 256, -128)))

    with pytest.raises(UserError, match=r"model: operator 0 \(LOGISTIC, .* is none of the row engine's ADD, AVERAGE"):
        lower(_model(build))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dilationHFactor": 2, "padding": schema.Padding.SAME}, "is dilated"),
        ({"fusedActivationFunction": schema.ActivationFunctionType.TANH}, "fused activation TANH"),
    ],
)
def test_refuses_options_of_convolutions(edit_model, changes, said):
    with pytest.raises(UserError, match=said) as caught:
        lower(_edit_options(_model(_convolution), edit_model, **changes))
    assert "--engine tflm" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_grouped_convolutions():
    def build(builder, given):
        narrow = builder.activation((*PLANE[:3], 2), given.quantization)
        output = _convolution(builder, narrow)
        builder.operators[-1].inputs[0] = given.index
        return output

    with pytest.raises(UserError, match="is grouped: weights for 2 of 4 channels"):
        lower(_model(build))


def test_refuses_sums_that_do_not_fit():
    def build(builder, given):
        output = _convolution(builder, given)
        builder.buffers[2].data = np.frombuffer(np.full(4, (1 << 31) - 1000, np.int32).tobytes(), np.uint8)
        return output

    with pytest.raises(UserError, match="sums that 32 bits cannot hold"):
        lower(_model(build))


def test_refuses_additions_of_other_shapes():
    def build(builder, given):
        channel = builder.mean(given, keeps_rank=True)
        output = builder.add(given, given, "NONE")
        builder.operators[-1].inputs[1] = channel.index
        return output

    with pytest.raises(UserError, match=r"adds \[1, 1, 1, 4\] to \[1, 6, 6, 4\]"):
        lower(_model(build))


def test_refuses_other_means():
    def build(builder, given):
        output = builder.activation((1, 6, 4), given.quantization)
        inputs = [given.index, builder.constant(np.array([1], np.int32))]
        return builder.operator("MEAN", inputs, output, schema.ReducerOptionsT(), schema.BuiltinOptions.ReducerOptions)

    with pytest.raises(UserError, match=r"over the axes \[1\] of 4"):
        lower(_model(build))


def test_refuses_what_no_microcontroller_runs():
    with pytest.raises(UserError, match="batch 1 expected"):
        lower(_model(_convolution, shape=(2, 6, 6, 4)))


def test_refuses_five_dimensions():
    with pytest.raises(UserError, match=r"has the shape \[1, 2, 3, 6, 4\]; the row engine takes"):
        lower(_model(lambda b, x: b.reshape(x, (1, 2, 3, 6, 4))))
