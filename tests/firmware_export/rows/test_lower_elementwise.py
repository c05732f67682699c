"""Elementwise operators compute what TensorFlow Lite Micro computes, or are refused with their shapes."""

import elementwise_graphs as graphs
import numpy as np
import pytest
import row_models
import rows_server
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.rows.layers import Add, Lookup
from firmware_export.rows.layers_elementwise import Pairwise
from firmware_export.rows.lower import lower

A_PROGRAM = 10
CASES = settings(max_examples=24, deadline=None, derandomize=True, database=None)
PLANE = (1, 5, 4, 3)


@pytest.mark.parametrize("name", graphs.PAIRS)
def test_pairs(server, name):
    @CASES
    @given(st.lists(graphs.pairs(name), min_size=A_PROGRAM, max_size=A_PROGRAM))
    def test(drawn):
        rows_server.check(server, drawn)

    test()


@pytest.mark.parametrize("name", [name for name in graphs.FUNCTIONS if name != "LOG_SOFTMAX"])
def test_functions(server, name):
    """That the tables are exact for every quantization is in `test_functions.py`."""

    def build(builder, x):
        options = {"alpha": 0.2} if name == "LEAKY_RELU" else {}
        return graphs.function(builder, name, x, (0.02, 3), **options)

    rows_server.check(server, [(build, PLANE, (0.03, -7), seed) for seed in range(4)])


def _layer(name, kind, *, is_swapped=False, shape=PLANE):
    def build(builder, x):
        other = graphs.operand(builder, kind, x, (0.02, 3))
        return graphs.pair(builder, name, *((other, x) if is_swapped else (x, other)), quantization=(0.07, 1))

    return lower(row_models.model(build, shape, quantization=(0.05, 4))).layers[-1]


@pytest.mark.parametrize("name", graphs.PAIRS)
def test_one_constant_is_a_table(name):
    assert isinstance(_layer(name, "scalar"), Lookup)


def test_equal_tensors_are_added_by_the_faster_kernel():
    assert isinstance(_layer("ADD", "tensor"), Add)
    assert isinstance(_layer("ADD", "channel tensor", is_swapped=True), Pairwise)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("channels", (1, 3, 0)),
        ("pixels", (5, 12, 3)),
        ("columns", (5, 4, 1)),
        ("channel tensor", (1, 3, 0)),
        ("pixel tensor", (5, 4, 1)),
        ("tensor", (5, 12, 3)),
    ],
)
def test_how_operands_are_walked(kind, expected):
    operand = _layer("MUL", kind).operand
    assert (operand.height, operand.row_codes, operand.pixel_stride) == expected
    assert (operand.constant is None) == ("tensor" in kind)


def test_the_order_of_a_difference_is_kept():
    kinds = [_layer("SUB", "channels", is_swapped=swapped).kind for swapped in (False, True)]
    assert kinds == ["SUBTRACTION", "SUBTRACTION_FROM"]


def test_a_code_for_each_row_is_repeated(server):
    """A constant of one code a row, for which the engine has no walk."""

    def build(builder, x):
        return graphs.pair(
            builder, "MUL", x, graphs.constant(builder, np.array([[[9]], [[-7]]], np.int8), (0.02, 3)), "NONE"
        )

    shape = (1, 2, 4, 3)
    layer = lower(row_models.model(build, shape, quantization=(0.05, 4))).layers[-1]
    assert layer.operand.constant.tolist() == [9, 9, 9, -7, -7, -7]
    rows_server.check(server, [(build, shape, (0.05, 4), 0)])


def _outer_product(builder, x):
    row = builder.mean(x, keeps_rank=True)
    return graphs.pair(builder, "MUL", row, builder.reshape(x, (1, 60, 1, 1)), "NONE")


def _larger_constant(builder, x):
    return graphs.pair(
        builder,
        "MAXIMUM",
        builder.mean(x, keeps_rank=True),
        graphs.constant(builder, np.zeros((1, 2, 1, 3), np.int8), (0.02, 3)),
        "NONE",
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_outer_product, r"\(MUL, .*combines \[1, 1, 1, 3\] and \[1, 60, 1, 1\].* shape \[1, 60, 1, 3\]"),
        (_larger_constant, r"\(MAXIMUM, .*combines \[1, 1, 1, 3\] and \[1, 2, 1, 3\]"),
    ],
)
def test_other_shapes_are_refused(build, message):
    with pytest.raises(UserError, match=message):
        lower(row_models.model(build, PLANE))


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
def test_output_scales_beyond_32_bits_are_refused(name):
    def build(builder, x):
        return graphs.pair(builder, name, x, x, quantization=(1e-9, 0))

    with pytest.raises(UserError, match=rf"\({name}, .*is out of range"):
        lower(row_models.model(build, PLANE, quantization=(1.0, 0)))


def test_an_output_that_the_function_does_not_have_is_refused():
    def build(builder, x):
        return builder.operator("LOGISTIC", [x.index], builder.activation(x.shape, (0.1, 0)))

    with pytest.raises(UserError, match=r"output scale 0.1 and zero point 0, expected 0.00390625 and -128"):
        lower(row_models.model(build, PLANE))
