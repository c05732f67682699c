"""The bound of `memory_bound` is one: no plan needs less, and what it adds up for a stage is what a plan has in it."""

from itertools import pairwise

import memory_bound
from hypothesis import given, settings
from int8_graphs import models

from firmware_export.rows import stages
from firmware_export.rows.arrange import arrange
from firmware_export.rows.least_memory import plan_memory
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import in_stages, plan
from firmware_export.tflite import reader

few = settings(max_examples=10, deadline=None, derandomize=True, database=None)


@few
@given(models())
def test_no_plan_needs_less(model):
    network = lower(reader.read(model))
    assert memory_bound.bound(network) <= arrange(plan_memory(network)).most_bytes


@few
@given(models())
def test_stages_do_not_depend_on_each_other(model):
    network = lower(reader.read(model))
    without = plan(network)
    costs = stages.Costs(network, without.rings)
    cuts = [start for start in range(1, costs.number) if start not in costs.inseparable][::2]
    together = memory_bound.needs(in_stages(without, cuts))
    for start, end in pairwise((0, *cuts, costs.number)):
        assert memory_bound.stage_needs(without, start, end) == together[start:end].max()
