import dataclasses

import pytest


def test_macs_by_hand(qat_graph):
    full, half = 16 * 16, 8 * 8
    convolutions = full * 9 * (3 * 8 + 8 * 8 + 8 * 8) + half * (9 * (8 * 16 + 16 * 16) + 8 * 16)
    assert qat_graph.macs == convolutions + 16 * 10


def test_parameters_are_keras_weights_with_batch_norms_folded_into_biases(qat_graph):
    kernels = 9 * (3 * 8 + 8 * 8 + 8 * 8 + 8 * 16 + 16 * 16) + 8 * 16 + 16 * 10
    biases = 8 + 8 + 8 + 16 + 16 + 16 + 10
    assert qat_graph.parameters == kernels + biases


def test_graph_is_frozen(qat_graph):
    with pytest.raises(dataclasses.FrozenInstanceError):
        qat_graph.name = "other"


def test_another_input_scale_is_no_unit_input(qat_graph):
    for change in ({"scales": (0.0078,)}, {"zero_points": (0,)}, {"scales": (0.1, 0.2)}, {"dtype": "uint8"}):
        image = dataclasses.replace(qat_graph.inputs[0], **change)
        assert not dataclasses.replace(qat_graph, inputs=(image,)).has_unit_input
