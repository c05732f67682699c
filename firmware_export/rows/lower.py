"""Lower an int8 `.tflite` to `layers`, with the constants that TensorFlow Lite Micro's `Prepare` functions derive."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from firmware_export.common.dense_scale import DenseScale
from firmware_export.common.errors import UserError
from firmware_export.rows import arithmetic, lower_weighted
from firmware_export.rows.layers import (
    Add,
    AveragePoolByRow,
    Layer,
    Lookup,
    Mean,
    Network,
    Pad,
    Pool,
    Reshape,
    Softmax,
    Tensor,
)
from firmware_export.rows.reader import Source
from firmware_export.tflite import reader
from firmware_export.tflite.graph import Operator
from firmware_export.tflite.model import Model

_CODES = np.arange(-128, 128)
_MOST_SUMMANDS = 4095  # softmax sums with 12 integer bits
_SOFTMAX_OUTPUT = (1 / 256, -128)


def lower(model: Model, dense_scale: DenseScale = DenseScale.DOUBLE) -> Network:
    """Turn a model into layers.

    Args:
        model: int8, with batch 1.
        dense_scale: how TFLM multiplies the scales of a dense layer.

    Raises:
        UserError: the model cannot run on a microcontroller (`reader.check_deployable`), or the row engine lacks an
            operator or one of its options.
    """
    graph = model.graph
    reader.check_deployable(graph)
    if not graph.has_one_end_each:
        raise UserError(
            f"{model.name} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, the row engine takes one "
            "of each: use TFLM (--engine tflm)"
        )
    source = Source(model, dense_scale)
    layers: list[Layer] = []
    for operator in graph.operators:
        convert = _OPERATORS.get(operator.name)
        if convert is None:
            raise source.refuse(operator, f"is not an operator of the row engine ({', '.join(sorted(_OPERATORS))})")
        layers += convert(source, operator, layers)
    first, last = source.tensor(graph.inputs[0]), source.tensor(graph.outputs[0])
    layers = _needed(layers, last)
    if not any(first in layer.inputs for layer in layers):
        raise UserError(f"{model.name}: the output does not depend on the input: convert the model again")
    return Network(first, last, tuple(layers), graph.has_unit_input)


def _needed(layers: Sequence[Layer], output: Tensor) -> list[Layer]:
    wanted, kept = {output}, []
    for layer in reversed(layers):
        if layer.output in wanted:
            wanted.update(layer.inputs)
            kept.append(layer)
    return kept[::-1]


def _pool(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    options, (given, output) = source.options(operator, "filterHeight"), source.ends(operator)
    window = source.window(operator, (options["filterHeight"], options["filterWidth"]))
    if given.zero_point != output.zero_point:
        raise source.refuse(operator, "changes the zero point")
    if output.height == 1:  # then the stride has no effect
        window = replace(window, stride_height=max(window.stride_height, window.kernel_height))
    has_disjoint_rows = window.stride_height >= window.kernel_height
    saves_memory = 4 * output.row_codes < window.kernel_height * given.row_codes
    by_row = operator.name == "AVERAGE_POOL_2D" and has_disjoint_rows and saves_memory
    kind = AveragePoolByRow if by_row else Pool
    return [kind(operator.name, (given,), output, window, *source.activation(operator))]


def _add(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    (_, output), first, second = source.ends(operator), operator.given(0), operator.given(1)
    if second.is_constant or not first.shape == second.shape == operator.outputs[0].shape:
        raise source.refuse(
            operator, f"adds {list(second.shape)} to {list(first.shape)}, expected two activations of equal shape"
        )
    twice_largest = 2 * max(first.scale, second.scale)
    of_output = twice_largest / ((1 << 20) * operator.outputs[0].scale)
    if of_output >= 1:
        raise source.refuse(operator, f"has the output scale {operator.outputs[0].scale:g}, too small for its inputs")
    scalings = (
        arithmetic.quantize_multiplier(first.scale / twice_largest),
        arithmetic.quantize_multiplier(second.scale / twice_largest),
        arithmetic.quantize_multiplier(of_output),
    )
    inputs = source.tensor(first), source.tensor(second)
    return [Add(operator.name, inputs, output, scalings, *source.activation(operator))]


def _relu(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    given, output = source.ends(operator)
    multiplier, shift = arithmetic.quantize_multiplier(operator.given(0).scale / operator.outputs[0].scale)
    scaled = [arithmetic.requantize(int(code) - given.zero_point, multiplier, shift) for code in _CODES]
    table = np.clip(np.array(scaled) + output.zero_point, output.zero_point, 127)
    return [Lookup(operator.name, (given,), output, table.astype(np.int8))]


def _relu6(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    given, output = source.ends(operator)  # TFLM uses only the quantization of the input
    highest = min(127, given.zero_point + arithmetic.quantized(6.0, operator.given(0).scale))
    table = np.clip(_CODES, given.zero_point, highest)
    return [Lookup(operator.name, (given,), output, table.astype(np.int8))]


def _softmax(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    given, output = source.ends(operator)
    if output.channels > _MOST_SUMMANDS:
        raise source.refuse(operator, f"has {output.channels} channels, expected at most {_MOST_SUMMANDS}")
    scale = operator.outputs[0].scale
    if (scale, output.zero_point) != _SOFTMAX_OUTPUT:
        raise source.refuse(
            operator, f"has the output scale {scale:g} and zero point {output.zero_point}, expected 1/256 and -128"
        )
    try:
        table = arithmetic.exponentials(operator.given(0).scale, source.options(operator, "beta")["beta"])
    except ValueError as error:
        raise source.refuse(operator, f"is out of range ({error})") from error
    return [Softmax(operator.name, (given,), output, np.array(table, np.int32))]


def _mean(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    given, output = source.ends(operator)
    rank = len(operator.given(0).shape)
    axes = sorted({int(axis) % rank for axis in source.constant(operator, 1, "int32").reshape(-1)})
    if rank != 4 or axes != [1, 2]:
        raise source.refuse(
            operator, f"averages the axes {axes} of {rank} dimensions, expected height and width ([1, 2] of 4)"
        )
    pixels = given.height * given.width
    multiplier, shift = arithmetic.quantize_multiplier(operator.given(0).scale / operator.outputs[0].scale)
    # `reference/reduce.h` shifts the multiplier left as far as it has room, before it divides by the number of pixels.
    down = min(pixels.bit_length() - 1, 32, 31 + shift)
    return [Mean(operator.name, (given,), output, (multiplier << down) // pixels, shift - down)]


def _reshape(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    given, output = source.ends(operator)
    return [Reshape(operator.name, (given,), output)]


def _pad(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    given, output = source.ends(operator)
    amounts, rank = source.constant(operator, 1, "int32").reshape(-1, 2), len(operator.given(0).shape)
    if amounts.min() < 0 or (rank > 2 and amounts[0].any()):
        raise source.refuse(
            operator, f"pads by {amounts.tolist()}, expected no negative amounts and no padding of the batch"
        )
    before = [int(amount) for amount in amounts[:, 0]]
    top, left, front = before[1:] if rank == 4 else (before[-2] if rank > 1 else 0, 0, before[-1])
    has_value = len(operator.inputs) > 2
    value = int(source.constant(operator, 2, "int8").reshape(-1)[0]) if has_value else output.zero_point
    return [Pad(operator.name, (given,), output, top, left, front, value)]


_OPERATORS: dict[str, Callable[[Source, Operator, Sequence[Layer]], list[Layer]]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _pool,
    "CONV_2D": lower_weighted.convolution,
    "DEPTHWISE_CONV_2D": lower_weighted.depthwise,
    "FULLY_CONNECTED": lower_weighted.dense,
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "PAD": _pad,
    "PADV2": _pad,
    "RELU": _relu,
    "RELU6": _relu6,
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
}
