"""Rings that are never needed at once share memory; the check of a plan finds those that are."""

from dataclasses import replace

import pytest
import row_models
from hypothesis import given, settings
from int8_graphs import models

from firmware_export.rows import fast_kernels
from firmware_export.rows.arrange import arrange, sums_name
from firmware_export.rows.check_plan import check
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import in_stages, plan
from firmware_export.tflite import reader


def _planned(build, shape=(1, 12, 12, 8)):
    return plan(lower(row_models.model(build, shape)))


def _pointwise(builder, x):
    for _ in range(3):
        x = builder.convolution(x, 8, (1, 1), (1, 1), "SAME", "RELU")
    return builder.mean(x)


def test_rows_that_are_read_at_once_share_memory():
    planned = _planned(_pointwise)
    found = arrange(planned)
    starts = dict(zip((block.name for block in found.blocks), found.starts, strict=True))
    assert starts["rows_0"] == starts["rows_2"] != starts["rows_1"] == starts["rows_3"]
    assert found.bytes == 2 * 96 + 4 * 8  # two rows, and the sums of MEAN
    assert arrange(planned, shares=False).bytes == 4 * 96 + 8 + 4 * 8


def test_scratch_memory_begins_above_what_is_needed():
    found = arrange(_planned(_pointwise))
    assert found.scratch_bytes("portable") == 0
    assert found.scratch_starts[0] <= found.bytes


def test_a_tensor_grows_where_the_rows_of_another_were_read():
    def build(builder, x):
        whole = builder.convolution(x, 8, (1, 1), (1, 1), "SAME", "RELU")
        return builder.convolution(whole, 8, (1, 1), (1, 1), "SAME", "NONE")  # an output: all rows are kept

    planned = in_stages(_planned(build), [2])
    found = arrange(planned)
    check(planned, found)
    tensor_bytes, row_bytes = 12 * 12 * 8, 12 * 8
    assert found.bytes < tensor_bytes + 3 * row_bytes


def test_scratch_memory_lies_in_gaps():
    def build(builder, x):
        x = builder.convolution(x, 8, (3, 3), (1, 1), "SAME", "RELU")
        for _ in range(4):
            x = builder.convolution(x, 64, (1, 1), (1, 1), "SAME", "RELU")
            x = builder.convolution(x, 8, (1, 1), (1, 1), "SAME", "RELU")
        return builder.mean(x)

    planned = _planned(build)
    found = arrange(planned)
    check(planned, found)
    sizes = [fast_kernels.scratch_bytes(layer)["dsp"] for layer in planned.network.layers]
    assert any(size and start + size <= found.bytes for start, size in zip(found.scratch_starts, sizes, strict=True))


def test_sums_have_names():
    assert sums_name(3) == "sums_3"


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(models())
def test_nothing_needed_is_written_over(model):
    planned = plan(lower(reader.read(model)))
    found = arrange(planned)
    check(planned, found)
    assert sorted(i for group in found.groups for i in group) == list(range(len(found.blocks)))
    assert found.bytes <= arrange(planned, shares=False).bytes


def test_the_check_finds_blocks_that_meet():
    planned = _planned(lambda b, x: b.mean(b.convolution(x, 8, (3, 3), (1, 1), "SAME", "RELU")))
    found = arrange(planned)
    check(planned, found)
    names = [block.name for block in found.blocks]
    for moved, onto in (("rows_1", "rows_0"), ("sums_2", "rows_1"), ("rows_0", "sums_2")):
        starts = list(found.starts)
        starts[names.index(moved)] = starts[names.index(onto)]
        with pytest.raises(RuntimeError, match="where something else was written"):
            check(planned, replace(found, starts=tuple(starts)))
    with pytest.raises(RuntimeError, match="where something else was written"):
        check(planned, replace(found, scratch_starts=(0, 0)))
