"""Which rows the layers that move codes read and write in a step."""

import pytest
import row_models
import structure_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.rows.check_plan import check
from firmware_export.rows.layers_structure import Concatenation, Selection
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import plan
from firmware_export.tflite import reader


def _last(build, shape=(1, 6, 5, 4)):
    return lower(row_models.model(build, shape)).layers[-1]


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(list(structure_graphs.KINDS)).flatmap(structure_graphs.models))
def test_rows_are_made_in_order_and_plans_hold(content):
    network = lower(reader.read(content))
    for layer in network.layers:
        begun = [layer.begun(step) for step in range(layer.steps)]
        finished = [layer.finished(step) for step in range(layer.steps)]
        assert begun == sorted(begun)
        assert finished == sorted(finished)
        assert begun[-1] == finished[-1] == layer.output.height
        for position, tensor in enumerate(layer.inputs):
            for step in range(layer.steps):
                rows = layer.reads_from(position, step)
                assert not rows or 0 <= rows.start < rows.stop <= tensor.height
    check(plan(network))


def test_a_selection_of_rows_reads_them_alone():
    layer = _last(lambda b, x: b.strided_slice(x, (slice(None), slice(4, 0, -2), slice(None), slice(None))))
    assert isinstance(layer, Selection)
    assert [layer.reads(step) for step in range(layer.steps)] == [range(4, 5), range(2, 3)]


def test_rows_that_become_columns_are_kept():
    layer = _last(lambda b, x: b.transpose(x, (0, 2, 1, 3)))
    assert {layer.reads(step) for step in range(layer.steps)} == {range(6)}
    layer = _last(lambda b, x: b.transpose(x, (0, 1, 3, 2)))
    assert layer.reads(3) == range(3, 4)


def test_rows_of_a_concatenation_come_from_one_input():
    layer = _last(lambda b, x: b.concatenation([x, x], 1))
    assert isinstance(layer, Concatenation)
    assert [layer.reads_from(i, 7) for i in range(2)] == [range(0), range(1, 2)]
    layer = _last(lambda b, x: b.concatenation([x, x], 2))
    assert [layer.reads_from(i, 3) for i in range(2)] == [range(3, 4)] * 2


@pytest.mark.parametrize(
    ("kernel", "stride", "size", "rows"),
    [
        ((3, 1), (2, 1), 6, [range(1), range(1), range(2), range(1, 2), range(1, 3), range(2, 3)]),
        ((1, 1), (2, 1), 6, [range(1), range(1, 1), range(1, 2), range(2, 2), range(2, 3), range(3, 3)]),
    ],
)
def test_rows_that_meet_an_output(kernel, stride, size, rows):
    def build(builder, given):
        return builder.transposed(given, 2, kernel, stride, (size, 5), "SAME", by_channel=True, has_bias=True)

    layer = _last(build, (1, 3, 5, 4))
    assert [layer.reads(step) for step in range(layer.steps)] == rows
