"""What the row engine reads of a model, and what it refuses as it reads."""

import int8_graphs
import numpy as np
import pytest
import row_models
from ai_edge_litert import schema_py_generated as schema

from firmware_export.common.errors import UserError
from firmware_export.rows.layers import Window
from firmware_export.rows.lower import lower
from firmware_export.rows.reader import Source
from firmware_export.tflite.reader import read

PLANE = (1, 6, 6, 4)


def _model(build):
    return row_models.model(build, PLANE)


def _convolution(builder, given, strides=(1, 1), padding="SAME", activation="NONE"):
    return builder.convolution(given, 4, (3, 3), strides, padding, activation)


def _source(build):
    model = _model(build)
    return Source(model), model.graph.operators[0]


def _edit_options(model, edit_model, **changes):
    def edit(content):
        for name, value in changes.items():
            setattr(content.subgraphs[0].operators[0].builtinOptions, name, value)

    return read(edit_model(model, edit))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dilationHFactor": 0, "padding": schema.Padding.SAME}, r"has the strides \(1, 1\) and the dilation \(0, 1\)"),
        ({"fusedActivationFunction": schema.ActivationFunctionType.TANH}, "fused activation TANH"),
    ],
)
def test_refuses_options_of_convolutions(edit_model, changes, said):
    with pytest.raises(UserError, match=said) as caught:
        lower(_edit_options(_model(_convolution), edit_model, **changes))
    assert "--engine tflm" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_five_dimensions():
    with pytest.raises(UserError, match=r"has the shape \[1, 2, 3, 6, 4\], expected \[N\], "):
        lower(_model(lambda b, x: b.reshape(x, (1, 2, 3, 6, 4))))


def test_a_constant_has_its_values_and_shape():
    builder = int8_graphs.GraphBuilder()
    given = builder.activation(PLANE)
    model = read(builder.model(given, _convolution(builder, given)))
    weights = Source(model).constant(model.graph.operators[0], 1, "int8")
    assert weights.shape == (4, 3, 3, 4)
    assert weights.tobytes() == bytes(builder.buffers[1].data)


def test_a_constant_of_another_type_or_none_is_refused():
    source, operator = _source(_convolution)
    for position, dtype in ((0, "int8"), (1, "int32")):
        with pytest.raises(UserError, match=f"needs a constant of type {dtype} as its input {position}: use TFLM"):
            source.constant(operator, position, dtype)


@pytest.mark.parametrize(
    ("strides", "padding", "window"),
    [
        ((1, 1), "SAME", Window(3, 3, 1, 1, 1, 1)),
        ((2, 2), "SAME", Window(3, 3, 2, 2, 0, 0)),
        ((3, 1), "VALID", Window(3, 3, 3, 1, 0, 0)),
    ],
)
def test_windows_are_padded_as_tflm_does(strides, padding, window):
    source, operator = _source(lambda b, x: _convolution(b, x, strides, padding))
    assert source.window(operator, (3, 3)) == window


def test_a_fused_activation_bounds_the_codes():
    source, operator = _source(lambda b, x: _convolution(b, x, activation="RELU"))
    zero_point = operator.outputs[0].zero_point
    assert source.activation(operator) == (max(-128, zero_point), 127)


def test_options_of_another_operator_are_refused():
    source, operator = _source(_convolution)
    with pytest.raises(UserError, match="has no beta among its options"):
        source.options(operator, "beta")


@pytest.mark.parametrize(
    ("shape", "rows"), [((7,), (1, 1, 7)), ((3, 5), (3, 1, 5)), ((1, 3, 5), (3, 1, 5)), ((1, 2, 3, 4), (2, 3, 4))]
)
def test_tensors_are_rows_of_pixels_of_channels(shape, rows):
    size = int(np.prod(shape))
    model = row_models.model(lambda b, x: b.reshape(x, shape), (1, size))
    tensor = Source(model).tensor(model.graph.outputs[0])
    assert (tensor.height, tensor.width, tensor.channels) == rows
