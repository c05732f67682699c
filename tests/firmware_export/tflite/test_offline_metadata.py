"""The plan in the file; `memory.offline_plan` finds its offsets."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from firmware_export.memory import offline_plan
from firmware_export.tflite import offline_metadata


def entries(model):
    return [
        np.frombuffer(model.buffers[entry.buffer].data, "<i4").tolist()
        for entry in model.metadata
        if entry.name == b"OfflineMemoryAllocation"
    ]


def test_metadata_is_in_tflms_format(qat_model):
    planned = offline_plan.with_offline_plan(qat_model)
    offsets = offline_plan.plan(qat_model).offsets
    assert entries(qat_model) == []
    assert entries(planned) == [[1, 1, len(offsets), *offsets]]


def test_nothing_else_changes(qat_model, edit_model):
    planned = offline_plan.with_offline_plan(qat_model)

    def drop(content):
        content.metadata, content.buffers = content.metadata[:-1], content.buffers[:-1]

    assert edit_model(planned, drop) == edit_model(qat_model, lambda content: None)


def test_constants_stay_aligned_to_words(qat_model):
    """Cortex-M0 cannot read an int32 bias, nor TFLM the plan itself, from an odd address."""
    model = schema.Model.GetRootAs(offline_plan.with_offline_plan(qat_model).content)
    tables = [model.Buffers(index)._tab for index in range(model.BuffersLength())]
    starts = [table.Vector(table.Offset(4)) for table in tables if table.Offset(4)]  # 4: the field `data`
    assert len(starts) > 10
    assert all(start % 4 == 0 for start in starts)


def test_planning_again_replaces_the_plan(qat_model):
    planned = offline_plan.with_offline_plan(qat_model)
    assert offline_plan.with_offline_plan(planned).content == planned.content

    def spoil(content):
        entry = content.metadata[-1]
        content.buffers[entry.buffer].data = np.zeros(4, np.uint8)
        content.metadata = [*content.metadata, schema.MetadataT(name=entry.name, buffer=entry.buffer)]

    assert entries(offline_plan.with_offline_plan(planned.edited(spoil))) == entries(planned)


def test_a_plan_can_be_taken_out_again(qat_model):
    bare = offline_metadata.without_plan(offline_plan.with_offline_plan(qat_model))
    assert entries(bare) == []
    assert bare.graph == qat_model.graph
    assert offline_metadata.without_plan(qat_model) is qat_model


@pytest.mark.parametrize(
    ("words", "offsets"),
    [
        ([1, 1, 2, 0, 64], (0, 64)),
        ([1, 1, 2, 0, -1], (0, -1)),
        ([1, 1, 3, 0, 64], None),
        ([1, 1, 2, 0], None),
        ([1, 1, 2, 0, 64, 128], None),
    ],
)
def test_offsets_are_read_where_their_number_is_right(words, offsets):
    assert offline_metadata.read_offsets(np.array(words, "<i4").tobytes(), 2) == offsets


def test_a_plan_of_half_a_word_is_none():
    assert offline_metadata.read_offsets(b"\1" * 19, 2) is None
