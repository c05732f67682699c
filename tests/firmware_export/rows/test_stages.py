"""Stages of a network: where tensors are small, they are kept whole, so that rings share memory."""

import row_models
from hypothesis import given, settings
from int8_graphs import models

from firmware_export.rows.arrange import arrange, plan_memory
from firmware_export.rows.check_plan import check
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import in_stages, plan
from firmware_export.rows.stages import divide
from firmware_export.tflite import reader


def _late_small_layers(builder, x):
    x = builder.pool("AVERAGE_POOL_2D", x, (8, 8), (8, 8), "VALID", "NONE")
    for _ in range(6):
        x = builder.convolution(x, 16, (3, 3), (1, 1), "SAME", "RELU")
    return builder.mean(x)


def test_late_small_layers_are_stages():
    planned = plan(lower(row_models.model(_late_small_layers, (1, 32, 32, 4))))
    cuts = divide(planned.network, planned.rings)
    assert cuts
    staged = in_stages(planned)
    first = [staged.schedule.index(layer) for layer in cuts]
    for layer, begin in zip(cuts, first, strict=True):
        assert all(i < layer for i in staged.schedule[:begin])
    assert arrange(staged).bytes < arrange(planned).bytes


def test_a_chain_of_large_tensors_is_one_stage():
    def build(builder, x):
        for _ in range(3):
            x = builder.convolution(x, 8, (3, 3), (1, 1), "SAME", "RELU")
        return builder.mean(x)

    planned = plan(lower(row_models.model(build, (1, 24, 24, 4))))
    assert divide(planned.network, planned.rings) == ()
    assert in_stages(planned) is planned


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(models())
def test_stages_lose_no_row(model):
    staged = in_stages(plan(lower(reader.read(model))))
    check(staged, arrange(staged))


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(models())
def test_memory_is_never_more_than_that_of_rings_one_after_another(model):
    network = lower(reader.read(model))
    apart = arrange(plan_memory(network, shares=False), shares=False)
    assert arrange(plan_memory(network)).most_bytes <= apart.most_bytes
