import pytest

from firmware_export.tflite.graph import Operator, Tensor
from firmware_export.tflite.tflm_operators import SUPPORTED, int8_operators, resolver_method


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


def _tensor(dtype):
    return Tensor(0, "", (1,), (1,), dtype, (1.0,), (0,), is_constant=False)


def _operator(name, inputs, output="int8"):
    return Operator(0, name, tuple(map(_tensor, inputs)), (_tensor(output),))


def test_operators_on_int8_alone():
    operators = [
        _operator("ADD", ["int8", "int8"]),
        _operator("CONV_2D", ["int8", "int8", "int32"]),
        _operator("PAD", ["int8", "int32"]),
        _operator("MEAN", ["int8", "int32"]),
        _operator("SOFTMAX", ["int8"]),
    ]
    assert int8_operators(operators) == ("ADD", "CONV_2D", "SOFTMAX")


def test_one_operator_on_another_type_keeps_the_registration_for_all_types():
    operators = [_operator("SOFTMAX", ["int8"]), _operator("SOFTMAX", ["int8"], "int16")]
    operators += [_operator("CONV_2D", ["int8", "int4", "int32"])]
    assert int8_operators(operators) == ()


def test_the_resolver_registers_them(ptq_model):
    assert "FULLY_CONNECTED" in int8_operators(ptq_model.graph.operators)
