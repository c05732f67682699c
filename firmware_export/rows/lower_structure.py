"""The operators that move codes, such as CONCATENATION, SPLIT and TRANSPOSE, and MEAN."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from firmware_export.rows import arithmetic
from firmware_export.rows.layers import Layer, Mean, Reshape, Tensor
from firmware_export.rows.layers_structure import (
    CHANNELS,
    COLUMNS,
    ROWS,
    Along,
    Concatenation,
    Reduction,
    Resizing,
    Selection,
)
from firmware_export.rows.reader import Source
from firmware_export.tflite.graph import Operator
from firmware_export.tflite.graph import Tensor as StoredTensor
from firmware_export.tflite.model import enum_name

_AXES = ((), (CHANNELS,), (ROWS, CHANNELS), (None, ROWS, CHANNELS), (None, ROWS, COLUMNS, CHANNELS))
"""By number of dimensions: what `Source.tensor` makes of each; None for the batch."""


def mean(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """MEAN over any axes."""
    given, output = source.ends(operator)
    axes = _AXES[len(operator.given(0).shape)]
    numbers = source.constant(operator, 1, "int32").reshape(-1)
    averaged = {axes[_axis(source, operator, int(number), len(axes))] for number in numbers} - {None}
    sizes = {ROWS: given.height, COLUMNS: given.width, CHANNELS: given.channels}
    height, width, channels = (1 if axis in averaged else size for axis, size in sizes.items())
    target, rest = _target(output, height, width, channels)
    scaling = _mean_scaling(operator, math.prod(size for axis, size in sizes.items() if axis in averaged))
    across_width = COLUMNS in averaged
    if ROWS in averaged and CHANNELS not in averaged and (across_width or given.width == 1):
        return [Mean(operator.name, (given,), target, *scaling), *rest]
    if CHANNELS in averaged:
        codes, between_outputs, between_codes = (given.width if across_width else 1) * given.channels, given.channels, 1
    else:
        codes, between_outputs, between_codes = given.width if across_width else 1, 1, given.channels
    is_across_rows = ROWS in averaged and given.height > 1
    reduced = (is_across_rows, codes, between_outputs, between_codes, *scaling)
    return [Reduction(operator.name, (given,), target, *reduced), *rest]


def _mean_scaling(operator: Operator, count: int) -> tuple[int, int]:
    """Multiplier and shift of a sum of `count` codes.

    `reference/reduce.h` shifts the multiplier left as far as it has room, before it divides by the number of codes.
    """
    multiplier, shift = arithmetic.quantize_multiplier(operator.given(0).scale / operator.outputs[0].scale)
    down = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << down) // count, shift - down


def transpose(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """TRANSPOSE; a copy if only dimensions of 1 move. Where rows become columns or channels, all rows are kept."""
    given, output = source.ends(operator)
    shape = operator.given(0).shape
    order = [int(number) for number in source.constant(operator, 1, "int32").reshape(-1)]
    if sorted(order) != list(range(len(shape))):
        raise source.refuse(operator, f"permutes {len(shape)} dimensions by {order}")
    moving = [axis for axis in order if shape[axis] > 1]
    if moving == sorted(moving):
        return [Reshape(operator.name, (given,), output)]
    axes = _AXES[len(shape)]
    goes_to = {axes[axis]: axes[position] for position, axis in enumerate(order)}
    rows, columns, channels = (_moved(axis, goes_to.get(axis)) for axis in (ROWS, COLUMNS, CHANNELS))
    return [Selection(operator.name, (given,), output, (rows, columns, channels), output.width, output.channels)]


def _moved(axis: int, to: int | None) -> Along:
    """The source of an axis of the input that becomes the axis `to` of the output; None: its size is 1."""
    return Along(axis, 0, 0) if to is None else Along(to)


def strided_slice(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """STRIDED_SLICE."""
    options = source.options(operator, "shrinkAxisMask")
    if options["ellipsisMask"] or options["newAxisMask"]:
        raise source.refuse(operator, "has an ellipsis or a new axis, which TFLM ignores")
    shape = operator.given(0).shape
    begins, ends, steps = (source.constant(operator, i, "int32").reshape(-1).tolist() for i in (1, 2, 3))
    if not len(begins) == len(ends) == len(steps) == len(shape) or 0 in steps:
        raise source.refuse(operator, f"slices {len(shape)} dimensions from {begins} to {ends} by {steps}")
    chosen = []
    for i, (size, begin, end, step) in enumerate(zip(shape, begins, ends, steps, strict=True)):
        begin = None if options["beginMask"] >> i & 1 else begin
        end = None if options["endMask"] >> i & 1 else end
        found = range(*slice(begin, end, step).indices(size))
        if options["shrinkAxisMask"] >> i & 1:
            first = range(*slice(begin, None, step).indices(size)).start
            found = range(first, min(first + 1, size)) if step > 0 else range(0)
        chosen.append(found)
    return _selected(source, operator, operator.given(0), operator.outputs[0], chosen)


def slice_(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """SLICE."""
    shape = operator.given(0).shape
    begins, sizes = (source.constant(operator, i, "int32").reshape(-1).tolist() for i in (1, 2))
    if not len(begins) == len(sizes) == len(shape):
        raise source.refuse(operator, f"slices {len(shape)} dimensions from {begins} by {sizes}")
    chosen = [
        range(begin, length if size == -1 else begin + size)
        for begin, size, length in zip(begins, sizes, shape, strict=True)
    ]
    return _selected(source, operator, operator.given(0), operator.outputs[0], chosen)


def split(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """SPLIT and SPLIT_V: a selection for each output."""
    is_v = operator.name == "SPLIT_V"
    given = operator.given(0 if is_v else 1)
    number = int(source.constant(operator, 2 if is_v else 0, "int32").reshape(-1)[0])
    axis = _axis(source, operator, number, len(given.shape))
    layers: list[Layer] = []
    begin = 0
    for output in operator.outputs:
        if len(output.shape) != len(given.shape):
            raise source.refuse(operator, f"splits {list(given.shape)} into {list(output.shape)}")
        end = begin + output.shape[axis]
        chosen = [range(begin, end) if i == axis else range(size) for i, size in enumerate(given.shape)]
        layers += _selected(source, operator, given, output, chosen)
        begin = end
    return layers


def _selected(
    source: Source, operator: Operator, stored: StoredTensor, result: StoredTensor, chosen: Sequence[range]
) -> list[Layer]:
    """The layers that select the indices `chosen` of each dimension."""
    given, output = source.activation_of(operator, stored), source.activation_of(operator, result)
    bounds = [(min(found), max(found)) for found in chosen if found]
    fits = len(bounds) == len(chosen) and all(
        low >= 0 and high < size for (low, high), size in zip(bounds, stored.shape, strict=True)
    )
    if not fits or math.prod(map(len, chosen)) != result.size:
        raise source.refuse(
            operator, f"selects {[len(found) for found in chosen]} of {list(stored.shape)} for {list(result.shape)}"
        )
    indices = dict(zip(_AXES[len(stored.shape)], chosen, strict=True))
    rows, columns, channels = (indices.get(axis, range(1)) for axis in (ROWS, COLUMNS, CHANNELS))
    target, rest = _target(output, len(rows), len(columns), len(channels))
    sources = (
        Along(ROWS, rows.start, rows.step),
        Along(COLUMNS, columns.start, columns.step),
        Along(CHANNELS, channels.start, channels.step),
    )
    return [Selection(operator.name, (given,), target, sources, len(columns), len(channels)), *rest]


def concatenation(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """CONCATENATION: of more than two tensors, one after another."""
    options, stored = source.options(operator, "axis"), operator.outputs[0]
    output = source.activation_of(operator, stored)
    axis = _AXES[len(stored.shape)][_axis(source, operator, options["axis"], len(stored.shape))]
    activation = enum_name("ActivationFunctionType", options["fusedActivationFunction"])
    given = [source.activation_of(operator, operator.given(i)) for i in range(len(operator.inputs))]
    total, *others = given
    if axis is None or activation != "NONE":
        raise source.refuse(operator, f"concatenates batches, or has the fused activation {activation}")
    for tensor in operator.inputs:
        if tensor is None or (tensor.scales, tensor.zero_point) != (stored.scales, stored.zero_point):
            raise source.refuse(
                operator, "has inputs of other scales or zero points than its output, which TFLM refuses"
            )
    if not others:
        return [Reshape(operator.name, (total,), output)]
    layers: list[Layer] = []
    for i, other in enumerate(others):
        joined = replace(_joined(total, other, axis), index=-1 - operator.index, name=f"{output.name} to input {i + 1}")
        joined = output if i == len(others) - 1 and _sizes(joined) == _sizes(output) else joined
        layers.append(Concatenation(operator.name, (total, other), joined, axis))
        total = joined
    if total != output:
        raise source.refuse(operator, f"joins tensors to {_sizes(total)}, expected {_sizes(output)}")
    return layers


def _joined(first: Tensor, second: Tensor, axis: int) -> Tensor:
    match axis:
        case 0:
            return replace(first, height=first.height + second.height)
        case 1:
            return replace(first, width=first.width + second.width)
    return replace(first, channels=first.channels + second.channels)


def _sizes(tensor: Tensor) -> tuple[int, int, int]:
    return tensor.height, tensor.width, tensor.channels


def resize(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """RESIZE_NEAREST_NEIGHBOR."""
    given, output = source.ends(operator)
    options = source.options(operator, "halfPixelCenters")
    size = source.constant(operator, 1, "int32").reshape(-1).tolist()
    if size != [output.height, output.width] or given.channels != output.channels:
        raise source.refuse(operator, f"resizes {_sizes(given)} to {size}, its output has {_sizes(output)}")
    rows, columns = (
        _nearest(size_in, size_out, aligns=options["alignCorners"], centers=options["halfPixelCenters"])
        for size_in, size_out in ((given.height, output.height), (given.width, output.width))
    )
    return [Resizing(operator.name, (given,), output, rows, columns)]


def _nearest(size_in: int, size_out: int, *, aligns: bool, centers: bool) -> np.ndarray:
    """The position in the input of each of the output, int32: `reference/resize_nearest_neighbor.h`, in float32."""
    is_aligned = aligns and size_out > 1
    ratio = (size_in - 1, size_out - 1) if is_aligned else (size_in, size_out)
    scale = np.float32(ratio[0]) / np.float32(ratio[1])
    places = (np.arange(size_out, dtype=np.float32) + np.float32(0.5 if centers else 0)) * scale
    # TfLiteRound rounds half away from zero; no place is negative.
    whole = np.floor(places.astype(np.float64) + 0.5) if aligns else np.floor(places)
    nearest: np.ndarray = np.clip(whole, 0, size_in - 1).astype(np.int32)
    return nearest


def _axis(source: Source, operator: Operator, number: int, dimensions: int) -> int:
    """A dimension of a tensor that may be counted from the last one, which is −1."""
    if not -dimensions <= number < dimensions:
        raise source.refuse(operator, f"names dimension {number} of {dimensions}")
    return number % dimensions


def _target(output: Tensor, height: int, width: int, channels: int) -> tuple[Tensor, list[Layer]]:
    """The tensor to write rows of this size to: the output, or one that a RESHAPE turns into it."""
    if (height, width * channels) == (output.height, output.row_codes):
        return output, []
    rows = replace(
        output, index=-1 - output.index, name=f"{output.name} in rows", height=height, width=width, channels=channels
    )
    return rows, [Reshape("RESHAPE", (rows,), output)]
