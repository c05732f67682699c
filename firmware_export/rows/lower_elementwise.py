"""Elementwise operators: functions of one code become tables, functions of two codes `Pairwise` layers."""

from collections.abc import Callable, Sequence

import numpy as np

from firmware_export.rows import arithmetic, functions
from firmware_export.rows.arithmetic import INT8
from firmware_export.rows.layers import Add, Layer, Lookup, Tensor
from firmware_export.rows.layers_elementwise import Operand, Pairwise, Scalings
from firmware_export.rows.reader import Source
from firmware_export.tflite.graph import Operator
from firmware_export.tflite.graph import Tensor as StoredTensor

# ---- Functions of one code ----


def _function(table_of: Callable[[Source, Operator], np.ndarray]) -> Callable[..., list[Layer]]:
    """The lowering of an operator whose table `table_of` computes, or refuses with a ValueError."""

    def convert(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
        given, output = source.ends(operator)
        try:
            table = table_of(source, operator)
        except ValueError as error:
            raise source.refuse(operator, f"is out of range ({error})") from error
        return [Lookup(operator.name, (given,), output, table)]

    return convert


def _logistic(source: Source, operator: Operator) -> np.ndarray:
    given = _with_fixed_output(operator, 1 / 256, -128)
    return functions.logistic(given.scale, given.zero_point)


def _tanh(source: Source, operator: Operator) -> np.ndarray:
    given = _with_fixed_output(operator, 1 / 128, 0)
    return functions.tanh(given.scale, given.zero_point)


def _with_fixed_output(operator: Operator, scale: float, zero_point: int) -> StoredTensor:
    """The input, if the output has the scale and zero point that the kernel assumes."""
    output = operator.outputs[0]
    if (output.scale, output.zero_point) != (scale, zero_point):
        raise ValueError(
            f"output scale {output.scale:g} and zero point {output.zero_point}, expected {scale:g} and {zero_point}"
        )
    return operator.given(0)


def _hard_swish(source: Source, operator: Operator) -> np.ndarray:
    given, output = operator.given(0), operator.outputs[0]
    return functions.hard_swish(given.scale, given.zero_point, output.scale, output.zero_point)


def _leaky_relu(source: Source, operator: Operator) -> np.ndarray:
    given, output = operator.given(0), operator.outputs[0]
    alpha = float(source.options(operator, "alpha")["alpha"])
    ratio, below = given.scale / output.scale, given.scale * alpha / output.scale
    return functions.leaky_relu(ratio, below, given.zero_point, output.zero_point)


def _quantize(source: Source, operator: Operator) -> np.ndarray:
    given, output = operator.given(0), operator.outputs[0]
    return functions.rescaled(given.scale / output.scale, given.zero_point, output.zero_point)


def _relu(source: Source, operator: Operator) -> np.ndarray:
    table: np.ndarray = np.maximum(_quantize(source, operator), np.int8(operator.outputs[0].zero_point))
    return table


def _relu6(source: Source, operator: Operator) -> np.ndarray:
    given = operator.given(0)  # TFLM uses only the quantization of the input
    highest = min(INT8[1], given.zero_point + arithmetic.quantized(6.0, given.scale))
    return functions.table(lambda code: min(max(code, given.zero_point), highest))


# ---- Functions of two codes ----


def _pair(kind: str, scale: Callable[[Operator, StoredTensor, StoredTensor], Scalings]) -> Callable[..., list[Layer]]:
    """The lowering of an operator to a `Pairwise` of a kind; `scale` gets the operands in the layer's order."""

    def convert(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
        given, other = _in_order(source, operator)
        is_reversed = kind == "SUBTRACTION" and given is not operator.given(0)
        has_activation = kind in ("MULTIPLICATION", "SUBTRACTION", "BROADCAST_ADDITION")
        lowest, highest = source.activation(operator) if has_activation else INT8
        try:
            scalings = scale(operator, given, other)
        except ValueError as error:
            raise source.refuse(operator, f"is out of range ({error})") from error
        output = source.tensor(operator.outputs[0])
        operand = _operand(source, operator, other, output)
        inputs = (source.tensor(given),) if other.is_constant else (source.tensor(given), source.tensor(other))
        layer = Pairwise(
            operator.name,
            inputs,
            output,
            kind="SUBTRACTION_FROM" if is_reversed else kind,
            operand=operand,
            scalings=scalings,
            lowest=lowest,
            highest=highest,
        )
        return [_simplified(layer, is_of_equal_tensors=inputs[-1].shape == output.shape)]

    return convert


def _in_order(source: Source, operator: Operator) -> tuple[StoredTensor, StoredTensor]:
    """The operand that is as large as the output, and the other."""
    first, second = operator.given(0), operator.given(1)
    for tensor in (first, second, operator.outputs[0]):
        source.check_codes(operator, tensor)
    if first.is_constant and second.is_constant:
        raise source.refuse(operator, "has two constant inputs")
    output = source.tensor(operator.outputs[0])
    orders = [(first, second)] if operator.name == "PRELU" else [(first, second), (second, first)]
    for given, other in orders:
        if not given.is_constant and source.tensor(given).shape == output.shape:
            return given, other
    raise _refuse_shapes(source, operator)


def _refuse_shapes(source: Source, operator: Operator) -> Exception:
    shapes = " and ".join(str(list(operator.given(position).shape)) for position in (0, 1))
    return source.refuse(
        operator,
        f"combines {shapes}, expected one activation of the output's shape {list(operator.outputs[0].shape)} and one "
        "operand with the same or 1 in each dimension",
    )


def _operand(source: Source, operator: Operator, other: StoredTensor, output: Tensor) -> Operand:
    rank = len(operator.outputs[0].shape)
    extended = (1,) * (rank - len(other.shape)) + other.shape
    height, width, channels = extended[1:] if rank == 4 else ((1, 1, *extended)[-2], 1, (1, *extended)[-1])
    fits = all(n in (1, m) for n, m in zip((height, width, channels), output.shape, strict=True))
    if not fits or len(extended) > rank or other.size != height * width * channels:
        raise _refuse_shapes(source, operator)
    values = None
    has_one_code_a_row = channels < output.channels and width < output.width
    if other.is_constant:
        values = source.model.constant(other).reshape(height, width, channels)
        if has_one_code_a_row and height > 1:
            values = np.repeat(values, output.channels, axis=2)
            channels = output.channels
    elif has_one_code_a_row or source.tensor(other).shape != (height, width, channels):
        raise _refuse_shapes(source, operator)
    stride = channels if width == output.width else 0
    constant = None if values is None else values.reshape(-1)
    return Operand(height, width * channels, stride, other.zero_point, constant)


def _simplified(layer: Pairwise, *, is_of_equal_tensors: bool) -> Layer:
    """A table if the operand is one constant code; `Add`, which has faster kernels, for tensors of one shape."""
    operand = layer.operand
    if operand.constant is not None and operand.constant.size == 1:
        second = int(operand.constant[0])
        table = functions.table(lambda first: layer.output_code(first, second))
        return Lookup(layer.operator, layer.inputs, layer.output, table)
    if layer.kind == "BROADCAST_ADDITION" and operand.constant is None and is_of_equal_tensors:
        return Add(layer.operator, layer.inputs, layer.output, layer.scalings, layer.lowest, layer.highest)
    return layer


def _scale_sum(operator: Operator, given: StoredTensor, other: StoredTensor) -> Scalings:
    twice_largest = 2 * max(given.scale, other.scale)
    of_output = twice_largest / ((1 << 20) * operator.outputs[0].scale)
    if of_output >= 1:
        raise ValueError(f"output scale {operator.outputs[0].scale:g}, too small for its inputs")
    return (
        arithmetic.quantize_multiplier(given.scale / twice_largest),
        arithmetic.quantize_multiplier(other.scale / twice_largest),
        arithmetic.quantize_multiplier(of_output),
    )


def _scale_product(operator: Operator, given: StoredTensor, other: StoredTensor) -> Scalings:
    return _NONE, _NONE, functions.scaling(_product(operator), factors=2)


def _scale_prelu(operator: Operator, given: StoredTensor, other: StoredTensor) -> Scalings:
    ratio = given.scale / operator.outputs[0].scale
    return functions.scaling(ratio), functions.scaling(_product(operator), factors=2), _NONE


def _product(operator: Operator) -> float:
    return operator.given(0).scale * operator.given(1).scale / operator.outputs[0].scale


def _without_scale(operator: Operator, given: StoredTensor, other: StoredTensor) -> Scalings:
    return _NONE, _NONE, _NONE


_NONE = (0, 0)

OPERATORS: dict[str, Callable[[Source, Operator, Sequence[Layer]], list[Layer]]] = {
    "ADD": _pair("BROADCAST_ADDITION", _scale_sum),
    "HARD_SWISH": _function(_hard_swish),
    "LEAKY_RELU": _function(_leaky_relu),
    "LOGISTIC": _function(_logistic),
    "MAXIMUM": _pair("MAXIMUM", _without_scale),
    "MINIMUM": _pair("MINIMUM", _without_scale),
    "MUL": _pair("MULTIPLICATION", _scale_product),
    "PRELU": _pair("PRELU", _scale_prelu),
    "QUANTIZE": _function(_quantize),
    "RELU": _function(_relu),
    "RELU6": _function(_relu6),
    "SUB": _pair("SUBTRACTION", _scale_sum),
    "TANH": _function(_tanh),
}
"""The lowering of each elementwise operator."""
