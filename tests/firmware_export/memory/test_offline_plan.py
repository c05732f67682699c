import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.memory import offline_plan
from firmware_export.memory.arena import least_bytes
from firmware_export.memory.offline_plan import Block
from firmware_export.tflite import interpreters, offline_metadata

SIZE = 16


@st.composite
def blocks(draw, most=10):
    ends = st.tuples(st.integers(0, 7), st.integers(0, 4), st.integers(1, 600))
    return [Block(first, first + length, size) for first, length, size in draw(st.lists(ends, max_size=most))]


def overlap(one, other):
    return one.first <= other.last and other.first <= one.last


def neighbours(some):
    return [[j for j, other in enumerate(some) if j != i and overlap(one, other)] for i, one in enumerate(some)]


def first_fit_peak(some, order):
    return offline_plan.peak(some, offline_plan._first_fit(some, neighbours(some), order))


@given(some=blocks())
@settings(deadline=None)
def test_what_lives_together_lies_apart_and_aligned(some):
    offsets = offline_plan.place(some)
    assert all(offset >= 0 and offset % 16 == 0 for offset in offsets)
    for (a, at_a), (b, at_b) in itertools.combinations(zip(some, offsets, strict=True), 2):
        if overlap(a, b):
            assert at_a + a.size <= at_b or at_b + b.size <= at_a


@given(some=blocks())
@settings(deadline=None)
def test_peak_is_between_the_bound_and_the_planners_it_replaces(some):
    peak = offline_plan.peak(some, offline_plan.place(some))
    tflm = sorted(reversed(range(len(some))), key=lambda i: -some[i].size // 16)
    assert peak >= offline_plan.lower_bound(some)
    assert peak <= first_fit_peak(some, range(len(some)))
    assert peak <= first_fit_peak(some, tflm)


@given(some=blocks())
@settings(deadline=None)
def test_the_same_blocks_always_get_the_same_plan(some):
    assert offline_plan.place(some) == offline_plan.place(some)


@given(some=blocks(most=5))
@settings(deadline=None, max_examples=50)
def test_few_blocks_are_packed_as_tightly_as_any_order_can(some):
    every_order = (first_fit_peak(some, order) for order in itertools.permutations(range(len(some))))
    assert offline_plan.peak(some, offline_plan.place(some)) == min(every_order)


def test_the_search_finds_what_no_simple_order_does():
    some = [Block(0, 2, 32), Block(2, 4, 32), Block(3, 4, 80), Block(0, 1, 80)]
    bound = offline_plan.lower_bound(some)
    assert min(first_fit_peak(some, order) for order in offline_plan._orders(some)) > bound
    assert offline_plan.peak(some, offline_plan.place(some)) == bound


def test_tflms_own_order_is_tried(monkeypatch):
    """Without the search it is the only one of the orders that packs these."""
    monkeypatch.setattr(offline_plan, "_TRIALS", 0)
    some = [Block(0, 3, 80), Block(2, 5, 48), Block(5, 7, 48), Block(4, 5, 48)]
    assert offline_plan.peak(some, offline_plan.place(some)) == first_fit_peak(some, [0, 3, 2, 1])


def test_the_bound_by_hand():
    some = [Block(0, 2, 100), Block(1, 1, 16), Block(2, 4, 33), Block(5, 5, 150)]
    assert offline_plan.lower_bound(some) == max(112 + 16, 112 + 48, 160)


def test_no_blocks_need_nothing():
    assert (offline_plan.place([]), offline_plan.peak([], []), offline_plan.lower_bound([])) == ([], 0, 0)


def test_a_plan_for_the_students_graph(qat_model, qat_graph):
    plan = offline_plan.plan(qat_model)
    constants = {t.index for t in qat_graph.tensors if t.is_constant}
    assert len(plan.offsets) == len(qat_graph.tensors)
    assert {i for i, offset in enumerate(plan.offsets) if offset == -1} == constants
    assert plan.peak_bytes >= plan.lower_bound_bytes
    # The bound is an ADD's, or its block's: three maps of 16×16×8.
    assert plan.lower_bound_bytes == 3 * 16 * 16 * 8


def test_lifetimes_are_those_of_tflm(qat_graph):
    first, last = offline_plan._lifetimes(qat_graph)
    image, logits = qat_graph.inputs[0].index, qat_graph.outputs[0].index
    end = len(qat_graph.operators)
    assert (first[image], last[image]) == (0, 1)
    assert (first[logits], last[logits]) == (end, end)
    for now, operator in enumerate(qat_graph.operators, start=1):
        assert first[operator.outputs[0].index] == now
        assert all(last[t.index] >= now for t in operator.inputs)


def test_tflm_follows_the_plan_and_answers_the_same(qat_model, codes):
    planned = offline_plan.with_offline_plan(qat_model)
    least = interpreters.TflmInterpreter(planned, least_bytes(planned))
    answers = np.concatenate([least.invoke(image[np.newaxis]) for image in codes[:8]])
    assert np.array_equal(answers, interpreters.run(qat_model, codes[:8]))


def test_tflm_reads_the_plan(qat_model):
    """Offsets far out need a larger arena: the metadata is heeded."""
    planned = offline_plan.with_offline_plan(qat_model)

    def move_out(content):
        buffer = content.buffers[content.metadata[-1].buffer]
        words = np.frombuffer(bytes(buffer.data), "<i4").copy()
        words[3:][words[3:] >= 0] += 1 << 16
        buffer.data = np.frombuffer(words.tobytes(), np.uint8)

    assert least_bytes(planned.edited(move_out)) == least_bytes(planned) + (1 << 16)


def test_tflm_cannot_keep_every_tensor_of_a_planned_model(qat_model):
    """Why `offline_metadata.without_plan` exists; once TFLM can, the comparison of kernels needs no detour."""
    planned = offline_plan.with_offline_plan(qat_model)
    with pytest.raises(UserError, match="refuses the model"):
        interpreters.TflmInterpreter(planned, keeps_tensors=True)
    interpreters.TflmInterpreter(offline_metadata.without_plan(planned), keeps_tensors=True)


def test_variables_are_left_to_tflm(qat_model, qat_graph):
    """They must outlive an inference, so TFLM keeps them elsewhere."""
    middle = qat_graph.operators[1].outputs[0].index

    def mark(content):
        content.subgraphs[0].tensors[middle].isVariable = True

    assert offline_plan.plan(qat_model.edited(mark)).offsets[middle] == -1


def test_several_subgraphs_are_refused(qat_model):
    def double(content):
        content.subgraphs = content.subgraphs * 2

    with pytest.raises(UserError, match="2 subgraphs, 1 expected"):
        offline_plan.plan(qat_model.edited(double))


def test_a_better_plan_saves_arena_and_changes_no_answer(skipping_model, codes):
    better = offline_plan.with_offline_plan(skipping_model)
    plan = offline_plan.plan(skipping_model)
    assert plan.peak_bytes == plan.lower_bound_bytes == 3 * SIZE * SIZE * 8
    assert better.content == offline_metadata.with_offsets(skipping_model, plan.offsets).content
    assert least_bytes(skipping_model) - least_bytes(better) == SIZE * SIZE * 8
    assert np.array_equal(interpreters.run(better, codes), interpreters.run(skipping_model, codes))
