import dataclasses

import numpy as np
import pytest
import row_models
import rows_server
import structure_graphs
from dense_models import telling_ratios
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.rows.lower import lower
from firmware_export.tflite import interpreters, reader

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
        return builder.operator("CEIL", [given.index], builder.activation(given.shape, given.quantization))

    with pytest.raises(
        UserError, match=r"model: operator 0 \(CEIL, .* is not an operator of the row engine .ADD, AVERAGE"
    ):
        lower(_model(build))


def test_refuses_what_no_microcontroller_runs():
    with pytest.raises(UserError, match="batch 1 expected"):
        lower(_model(_convolution, shape=(2, 6, 6, 4)))


@pytest.mark.parametrize("examples", [2, pytest.param(22, marks=pytest.mark.slow)])
def test_several_outputs_are_tflms(server, examples):
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(structure_graphs.models_with_several_outputs(), min_size=10, max_size=10))
    def test(drawn):
        models = [reader.read(content) for content in drawn]
        codes = [np.full((2, *m.graph.inputs[0].shape[1:]), -100, np.int8) for m in models]
        for i, images in enumerate(codes):
            images[1] = np.random.default_rng(i).integers(-128, 128, images[1].shape)
        rows_server.compare(server, models, codes)

    test()


def test_an_output_is_returned_once():
    def build(builder, given):
        return builder.relu("RELU", given)

    model = _model(build)
    graph = dataclasses.replace(model.graph, outputs=model.graph.outputs * 2)
    with pytest.raises(UserError, match="returns its input or one tensor twice"):
        lower(dataclasses.replace(model, graph=graph))
