import pytest

from firmware_export.tflite.tflm_operators import SUPPORTED, resolver_method


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("CONV_2D", "AddConv2D"),
        ("ADD", "AddAdd"),
        ("MEAN", "AddMean"),
        ("FULLY_CONNECTED", "AddFullyConnected"),
        ("L2_POOL_2D", "AddL2Pool2D"),
        ("PADV2", "AddPadV2"),
        ("RELU6", "AddRelu6"),
        ("RESIZE_NEAREST_NEIGHBOR", "AddResizeNearestNeighbor"),
        ("SPACE_TO_BATCH_ND", "AddSpaceToBatchNd"),
        ("BATCH_MATMUL", "AddBatchMatMul"),
        ("CUMSUM", "AddCumSum"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "AddUnidirectionalSequenceLSTM"),
    ],
)
def test_methods_are_spelled_as_tflm_spells_them(name, method):
    assert resolver_method(name) == method


def test_every_operator_has_a_method_of_its_own():
    assert len({resolver_method(name) for name in SUPPORTED}) == len(SUPPORTED)


def test_every_name_is_in_the_schema():
    from ai_edge_litert import schema_py_generated as schema

    assert set(vars(schema.BuiltinOperator)) >= SUPPORTED


def test_an_operator_tflm_lacks_has_none():
    with pytest.raises(KeyError):
        resolver_method("TOPK_V2")
