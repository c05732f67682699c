"""Lower an int8 `.tflite` to `layers`, with the constants that TensorFlow Lite Micro's `Prepare` functions derive."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from firmware_export.common.dense_scale import DenseScale
from firmware_export.common.errors import UserError
from firmware_export.rows import lower_elementwise, lower_softmax, lower_structure, lower_weighted
from firmware_export.rows.layers import (
    AveragePoolByRow,
    Layer,
    Network,
    Pad,
    Pool,
    Reshape,
    Tensor,
)
from firmware_export.rows.reader import Source
from firmware_export.tflite import reader
from firmware_export.tflite.graph import Operator
from firmware_export.tflite.model import Model


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
    if len(graph.inputs) != 1:
        raise UserError(
            f"{model.name} has {len(graph.inputs)} inputs, the row engine takes one: use TFLM (--engine tflm)"
        )
    source = Source(model, dense_scale)
    layers: list[Layer] = []
    for operator in graph.operators:
        convert = _OPERATORS.get(operator.name)
        if convert is None:
            raise source.refuse(operator, f"is not an operator of the row engine ({', '.join(sorted(_OPERATORS))})")
        layers += convert(source, operator, layers)
    first, outputs = source.tensor(graph.inputs[0]), tuple(map(source.tensor, graph.outputs))
    layers = _needed(layers, outputs)
    if not any(first in layer.inputs for layer in layers):
        raise UserError(f"{model.name}: the output does not depend on the input: convert the model again")
    if len({*outputs, first}) != len(outputs) + 1:
        raise UserError(
            f"{model.name} returns its input or one tensor twice, the row engine returns a tensor once: use TFLM "
            "(--engine tflm)"
        )
    return Network(first, outputs, tuple(layers), graph.has_unit_input)


def _needed(layers: Sequence[Layer], outputs: Sequence[Tensor]) -> list[Layer]:
    wanted, kept = {*outputs}, []
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
    **lower_elementwise.OPERATORS,
    "AVERAGE_POOL_2D": _pool,
    "CONCATENATION": lower_structure.concatenation,
    "CONV_2D": lower_weighted.convolution,
    "DEPTHWISE_CONV_2D": lower_weighted.depthwise,
    "EXPAND_DIMS": _reshape,
    "FULLY_CONNECTED": lower_weighted.dense,
    "LOG_SOFTMAX": lower_softmax.log_softmax,
    "MAX_POOL_2D": _pool,
    "MEAN": lower_structure.mean,
    "PAD": _pad,
    "PADV2": _pad,
    "RESHAPE": _reshape,
    "RESIZE_NEAREST_NEIGHBOR": lower_structure.resize,
    "SLICE": lower_structure.slice_,
    "SOFTMAX": lower_softmax.softmax,
    "SPLIT": lower_structure.split,
    "SPLIT_V": lower_structure.split,
    "SQUEEZE": _reshape,
    "STRIDED_SLICE": lower_structure.strided_slice,
    "TRANSPOSE": lower_structure.transpose,
    "TRANSPOSE_CONV": lower_weighted.transposed,
}
