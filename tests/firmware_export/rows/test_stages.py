"""Stages of a network: where tensors are small, they are kept whole, so that rings share memory."""

from itertools import pairwise

import row_models
from hypothesis import given, settings
from int8_graphs import models

from firmware_export.rows.arrange import arrange
from firmware_export.rows.check_plan import check
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import in_stages, plan
from firmware_export.rows.stages import Costs, divide
from firmware_export.tflite import reader


def _late_small_layers(builder, x):
    x = builder.pool("AVERAGE_POOL_2D", x, (8, 8), (8, 8), "VALID", "NONE")
    for _ in range(6):
        x = builder.convolution(x, 16, (3, 3), (1, 1), "SAME", "RELU")
    return builder.mean(x)


def test_late_small_layers_are_stages():
    planned = plan(lower(row_models.model(_late_small_layers, (1, 32, 32, 4))))
    cuts = divide(Costs(planned.network, planned.rings), {})
    assert cuts
    staged = in_stages(planned, cuts)
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
    assert divide(Costs(planned.network, planned.rings), {}) == ()


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(models())
def test_stages_lose_no_row(model):
    planned = plan(lower(reader.read(model)))
    staged = in_stages(planned, divide(Costs(planned.network, planned.rings), {}))
    check(staged, arrange(staged))


def test_what_is_known_of_a_stage_replaces_its_estimate():
    planned = plan(lower(row_models.model(_late_small_layers, (1, 32, 32, 4))))
    cuts = divide(Costs(planned.network, planned.rings), {})
    end = len(planned.network.layers) + 1
    known = dict.fromkeys(pairwise((0, *cuts, end)), 10**9)
    assert not known.keys() & set(pairwise((0, *divide(Costs(planned.network, planned.rings), known), end)))
