import dataclasses

import numpy as np
import pytest

from firmware_export.common.errors import UserError
from firmware_export.images.generated import generated_images
from firmware_export.memory import arena, offline_plan
from firmware_export.memory.arena import least_bytes
from firmware_export.memory.arena_trials import ArenaTrials
from firmware_export.tflite import convert, interpreters, reader

PIXELS = 16 * 16


def test_a_chain_gains_nothing_and_stays_as_it_is(autoencoder_model):
    found = arena.find(autoencoder_model)
    assert found.model is autoencoder_model
    assert found.least_bytes == found.given_bytes == least_bytes(autoencoder_model)
    assert not found.has_our_plan
    assert found.bytes_with_margin == found.least_bytes + found.margin_bytes


def test_a_gap_in_tflms_plan_is_closed(skipping_model):
    found = arena.find(skipping_model)
    assert found.has_our_plan
    assert found.model.content == offline_plan.with_offline_plan(skipping_model).content
    assert found.given_bytes - found.least_bytes == PIXELS * 8
    assert found.least_bytes == least_bytes(found.model)


def test_a_plan_already_there_is_not_counted_as_ours(skipping_model):
    planned = offline_plan.with_offline_plan(skipping_model)
    found = arena.find(planned)
    assert found.model is planned
    assert not found.has_our_plan


def _margin(graph, *names):
    operators = tuple(operator for operator in graph.operators if operator.name in names)
    return arena.margin(dataclasses.replace(graph, operators=operators)) - arena.BOOKKEEPING_BYTES * len(operators)


def test_margin_is_what_cmsis_nn_needs(qat_graph, quantized):
    assert _margin(qat_graph, "CONV_2D") == 4 * 9 * 16  # the widest window: 3×3 over 16 channels
    classes = qat_graph.outputs[0].shape[-1]
    assert _margin(qat_graph, "FULLY_CONNECTED") == -(-4 * classes // 16) * 16
    separable = reader.read(quantized("mobilenet")).graph
    assert _margin(separable, "DEPTHWISE_CONV_2D") == 4 * 124 * 9  # Helium takes blocks of 124 channels
    assert arena.margin(dataclasses.replace(qat_graph, operators=())) == 0


def test_the_sums_of_all_dense_layers_stay(autoencoder_model):
    operators = autoencoder_model.graph.operators
    outputs = sum(operator.outputs[0].size for operator in operators if operator.name == "FULLY_CONNECTED")
    assert arena.margin(autoencoder_model.graph) >= 4 * outputs + arena.BOOKKEEPING_BYTES * len(operators)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "saved"), [("resnet8", 0), ("resnet16", 65_536)])
def test_what_the_students_gain(name, saved):
    from keras_satkd.models import students

    content = convert.float_to_int8(students.build(name, 64, 10), generated_images((64, 64, 3), 16))
    found = arena.find(reader.read(content))
    assert found.given_bytes - found.least_bytes == saved


def test_least_size_is_least(qat_model, codes):
    arena = least_bytes(qat_model)
    assert arena % 16 == 0
    roomy = interpreters.run(qat_model, codes[:1])
    assert np.array_equal(interpreters.TflmInterpreter(qat_model, arena).invoke(codes[:1]), roomy)
    with pytest.raises(UserError, match=r"TensorFlow Lite Micro refuses the model: .*[Aa]llocate"):
        interpreters.TflmInterpreter(qat_model, arena - 16)


def test_least_size_takes_few_runs(qat_model, monkeypatch):
    tried = []
    fit = ArenaTrials.fit
    monkeypatch.setattr(ArenaTrials, "fit", lambda trials, model, size: tried.append(size) or fit(trials, model, size))
    least_bytes(qat_model)
    assert len(tried) <= 3


@pytest.mark.parametrize("off_by", [None, -(1 << 30), -4000, -16, -1, 1, 16, 4000, 1 << 30])
def test_least_size_is_the_same_wherever_the_search_starts(qat_model, monkeypatch, off_by):
    least = least_bytes(qat_model)
    started = None if off_by is None else least + off_by
    monkeypatch.setattr(interpreters.TflmInterpreter, "recorded_bytes", lambda self: started)
    assert least_bytes(qat_model) == least


def test_least_size_holds_the_largest_pair_of_tensors(qat_model, qat_graph):
    # An ADD needs both its inputs and its output at once.
    add = next(operator for operator in qat_graph.operators if operator.name == "ADD")
    assert least_bytes(qat_model) > sum(tensor.size for tensor in (*add.inputs, *add.outputs)) // 2
