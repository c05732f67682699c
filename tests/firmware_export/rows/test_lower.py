import numpy as np
import pytest
import row_models
from ai_edge_litert import schema_py_generated as schema
from dense_models import telling_ratios

from firmware_export.common.errors import UserError
from firmware_export.rows.lower import lower
from firmware_export.tflite import interpreters

PLANE = (1, 6, 6, 4)


def _model(build, shape=PLANE):
    return row_models.model(build, shape)


def _convolution(builder, given):
    return builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "NONE")


def test_what_does_not_lead_to_the_output_is_left_out():
    def build(builder, given):
        builder.relu("RELU", given)
        return builder.mean(given)

    assert [layer.operator for layer in lower(_model(build)).layers] == ["MEAN"]


@pytest.mark.parametrize(("given_scale", "output_scale", "code"), telling_ratios(seed=1, count=5))
def test_relu_divides_scales_in_double_as_the_installed_tflm(given_scale, output_scale, code):
    def build(builder, given):
        return builder.operator("RELU", [given.index], builder.activation(given.shape, (output_scale, 0)))

    model = row_models.model(build, (1, 1), quantization=(given_scale, 0))
    (layer,) = lower(model).layers
    assert layer.table[code + 128] == interpreters.run(model, np.array([[code]], np.int8))[0, 0]


def test_refuses_operators_that_it_lacks():
    def build(builder, given):
        return builder.operator("LOGISTIC", [given.index], builder.activation(given.shape, (1 / 256, -128)))

    with pytest.raises(
        UserError, match=r"model: operator 0 \(LOGISTIC, .* is not an operator of the row engine .ADD, AVERAGE"
    ):
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

    with pytest.raises(UserError, match=r"averages the axes \[1\] of 4"):
        lower(_model(build))


def test_refuses_what_no_microcontroller_runs():
    with pytest.raises(UserError, match="batch 1 expected"):
        lower(_model(_convolution, shape=(2, 6, 6, 4)))
