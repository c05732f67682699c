import dataclasses

import pytest
import row_models

from firmware_export.tflite.graph import MOST_CLASSES


def test_macs_by_hand(qat_graph):
    full, half = 16 * 16, 8 * 8
    convolutions = full * 9 * (3 * 8 + 8 * 8 + 8 * 8) + half * (9 * (8 * 16 + 16 * 16) + 8 * 16)
    assert qat_graph.macs == convolutions + 16 * 10


def test_macs_of_a_transposed_convolution_and_a_product_of_matrices(qat_graph):
    def build(builder, given):
        return builder.transposed(given, 5, (2, 2), (2, 2), (8, 6), "VALID", by_channel=True, has_bias=True)

    # Without overlap, each of 8×6×5 outputs is a sum over 3 channels of one tap.
    assert row_models.model(build, (1, 4, 3, 3)).graph.macs == 8 * 6 * 5 * 3
    dense = next(operator for operator in qat_graph.operators if operator.name == "FULLY_CONNECTED")
    first, second, made = (
        dataclasses.replace(dense.outputs[0], shape=shape) for shape in ((2, 4, 7), (2, 7, 3), (2, 4, 3))
    )
    product = dataclasses.replace(dense, name="BATCH_MATMUL", inputs=(first, second), outputs=(made,))
    assert product.macs == 2 * 4 * 3 * 7


@pytest.mark.parametrize(
    ("shape", "is_classifier"),
    [
        ((1, 10), True),
        ((1, 1, 1, 2), True),
        ((1, 3, 1, 1), True),
        ((1, 1), False),
        ((1, 4, 4, 3), False),
        ((1, 2, 2), False),
        ((1, MOST_CLASSES), True),
        ((1, MOST_CLASSES + 1), False),
    ],
)
def test_a_classifier_has_a_code_for_each_class(qat_graph, shape, is_classifier):
    (logits,) = qat_graph.outputs
    made = dataclasses.replace(qat_graph, outputs=(dataclasses.replace(logits, shape=shape),))
    assert made.is_classifier is is_classifier
    assert not dataclasses.replace(made, outputs=made.outputs * 2).is_classifier


def test_parameters_are_keras_weights_with_batch_norms_folded_into_biases(qat_graph):
    kernels = 9 * (3 * 8 + 8 * 8 + 8 * 8 + 8 * 16 + 16 * 16) + 8 * 16 + 16 * 10
    biases = 8 + 8 + 8 + 16 + 16 + 16 + 10
    assert qat_graph.parameters == kernels + biases


def test_graph_is_frozen(qat_graph):
    with pytest.raises(dataclasses.FrozenInstanceError):
        qat_graph.name = "other"


def test_another_input_scale_is_no_unit_input(qat_graph):
    for change in ({"scales": (0.0078,)}, {"zero_points": (-60,)}, {"scales": (0.1, 0.2)}, {"dtype": "uint8"}):
        image = dataclasses.replace(qat_graph.inputs[0], **change)
        assert not dataclasses.replace(qat_graph, inputs=(image,)).has_unit_input
