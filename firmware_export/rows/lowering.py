"""From an int8 `.tflite` to `layers`, each operator's constants as TensorFlow Lite Micro's `Prepare` derives them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from firmware_export import flatbuffer
from firmware_export.errors import UserError
from firmware_export.rows import arithmetic
from firmware_export.rows.layers import (
    Add,
    AveragePoolByRow,
    Convolution,
    Layer,
    Lookup,
    Mean,
    Network,
    Pad,
    Pool,
    Reshape,
    Softmax,
    Tensor,
    Window,
)

_CODES = np.arange(-128, 128)
_MOST_SUMMANDS = 4095  # softmax sums in 12 integer bits
_MOST_ROWS = 65535  # rows are counted in 16 bits


def lower(model: bytes, name: str = "model") -> Network:
    """Turn a model into layers.

    Args:
        model: the bytes of an int8 `.tflite`.
        name: what error messages call it.

    Raises:
        UserError: the model cannot run on a microcontroller at all (`flatbuffer.check_deployable`), or the row engine
            lacks an operator or an option of it.
    """
    graph = flatbuffer.read(model, name)
    flatbuffer.check_deployable(graph)
    source = _Source(model, graph)
    lowering = _Lowering(source)
    for operator in graph.operators:
        lowering.add(operator)
    first, last = source.rows(graph.inputs[0]), source.rows(graph.outputs[0])
    layers = _needed(lowering.layers, last)
    if not layers or first not in {tensor for layer in layers for tensor in layer.inputs}:
        raise UserError(f"{name}: the output does not depend on the input: convert the model again")
    return Network(first, last, tuple(layers), graph.has_unit_input)


def _needed(layers: list[Layer], output: Tensor) -> list[Layer]:
    wanted, kept = {output}, []
    for layer in reversed(layers):
        if layer.output in wanted:
            wanted.update(layer.inputs)
            kept.append(layer)
    return kept[::-1]


@dataclass(frozen=True)
class _Source:
    """The file: what `flatbuffer.Graph` leaves out is its operators' options and its constants' values."""

    model: bytes
    graph: flatbuffer.Graph

    @cached_property
    def _content(self) -> Any:
        from ai_edge_litert import schema_py_generated as schema

        return schema.ModelT.InitFromPackedBuf(self.model)

    def options(self, operator: flatbuffer.Operator) -> Any:
        return self._content.subgraphs[0].operators[operator.index].builtinOptions

    def values(self, tensor: flatbuffer.Tensor) -> np.ndarray:
        data = self._content.buffers[self._content.subgraphs[0].tensors[tensor.index].buffer].data
        return np.frombuffer(bytes(data), np.dtype(tensor.dtype).newbyteorder("<")).reshape(tensor.shape)

    def rows(self, tensor: flatbuffer.Tensor) -> Tensor:
        shape = tensor.shape
        if len(shape) > 4 or (len(shape) > 2 and shape[0] != 1) or 0 in shape:
            raise UserError(
                f"{self.graph.name}: tensor {tensor.name!r} has the shape {list(shape)}; the row engine takes [N], "
                "[M, N], [1, M, N] and [1, height, width, channels]"
            )
        height, width, channels = {4: shape[1:], 3: (*shape[1:2], 1, *shape[2:]), 2: (*shape[:1], 1, *shape[1:])}.get(
            len(shape), (1, 1, tensor.size)
        )
        if height > _MOST_ROWS:
            raise UserError(f"{self.graph.name}: tensor {tensor.name!r} has {height} rows, at most {_MOST_ROWS} expected")
        return Tensor(tensor.index, tensor.name, height, width, channels, tensor.zero_point)


@dataclass
class _Lowering:
    source: _Source
    layers: list[Layer] = field(default_factory=list)

    def add(self, operator: flatbuffer.Operator) -> None:
        convert = _OPERATORS.get(operator.name)
        if convert is None:
            raise UserError(
                f"{self.source.graph.name}: the row engine lacks {operator.name}; it has {', '.join(sorted(_OPERATORS))}: "
                "use --engine tflm or replace the layer"
            )
        convert(self, operator)

    def refuse(self, operator: flatbuffer.Operator, what: str) -> UserError:
        return UserError(f"{self.source.graph.name}: {operator.label} {what}: use --engine tflm or replace the layer")

    def ends(self, operator: flatbuffer.Operator) -> tuple[Tensor, Tensor]:
        """The first input and the output; both must be activations."""
        given = operator.inputs[0]
        if given is None or given.is_constant:
            raise self.refuse(operator, "has a constant for its input")
        for tensor in (given, operator.outputs[0]):
            if tensor.dtype != "int8" or len(tensor.scales) != 1:
                raise self.refuse(operator, f"works on {tensor.dtype} with {len(tensor.scales)} scales, int8 with one is needed")
        return self.source.rows(given), self.source.rows(operator.outputs[0])

    def constant(self, operator: flatbuffer.Operator, position: int, dtype: str) -> np.ndarray:
        tensor = operator.inputs[position]
        if tensor is None or not tensor.is_constant or tensor.dtype != dtype:
            raise self.refuse(operator, f"needs a constant of {dtype} for its input {position}")
        return self.source.values(tensor)

    def activation(self, operator: flatbuffer.Operator, options: Any) -> tuple[int, int]:
        name = _enum_name("ActivationFunctionType", options.fusedActivationFunction)
        output = operator.outputs[0]
        if name not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
            raise self.refuse(operator, f"has the fused activation {name}")
        return arithmetic.activation_range(name, output.scale, output.zero_point)

    def window(self, operator: flatbuffer.Operator, options: Any, kernel: tuple[int, int], ends: tuple[Tensor, Tensor]) -> Window:
        if (getattr(options, "dilationHFactor", 1), getattr(options, "dilationWFactor", 1)) != (1, 1):
            raise self.refuse(operator, "is dilated")
        strides, (given, output) = (options.strideH, options.strideW), ends
        is_same = _enum_name("Padding", options.padding) == "SAME"
        pads = []
        for size, window, stride, found in zip(
            (given.height, given.width), kernel, strides, (output.height, output.width), strict=True
        ):
            expected = -(-size // stride) if is_same else (size + stride - window) // stride
            if found != expected:
                raise self.refuse(operator, f"has {found} rows or columns of output where {expected} are due")
            pads.append(max(0, (expected - 1) * stride + window - size) // 2)
        return Window(*kernel, *strides, *pads)

    def convolution(self, operator: flatbuffer.Operator) -> None:
        weights, options, ends = self.constant(operator, 1, "int8"), self.source.options(operator), self.ends(operator)
        if weights.shape[3] != ends[0].channels:
            raise self.refuse(operator, f"is grouped: weights for {weights.shape[3]} of {ends[0].channels} channels")
        window = self.window(operator, options, weights.shape[1:3], ends)
        self._weighted(operator, self._unpadded(ends, window), weights, self._scales(operator, 0))

    def depthwise(self, operator: flatbuffer.Operator) -> None:
        weights, options, ends = self.constant(operator, 1, "int8"), self.source.options(operator), self.ends(operator)
        given, output = ends
        if output.channels % given.channels:
            raise self.refuse(operator, f"makes {output.channels} channels of {given.channels}")
        window = self.window(operator, options, weights.shape[1:3], ends)
        self._weighted(
            operator, self._unpadded(ends, window), weights[0], self._scales(operator, 3), output.channels // given.channels
        )

    def dense(self, operator: flatbuffer.Operator) -> None:
        weights, (given, output) = self.constant(operator, 1, "int8"), self.ends(operator)
        options = self.source.options(operator)
        if _enum_name("FullyConnectedOptionsWeightsFormat", options.weightsFormat) != "DEFAULT":
            raise self.refuse(operator, "has shuffled weights")
        units, depth = weights.shape
        pixels = operator.inputs[0].size // depth
        if pixels * depth != operator.inputs[0].size or pixels * units != operator.outputs[0].size:
            raise self.refuse(operator, f"multiplies {list(weights.shape)} weights by {list(operator.inputs[0].shape)}")
        if given.channels != depth or (given.height, given.width) != (output.height, output.width):
            given = self._reshaped(operator, given, output.height, output.width, depth)
        # TFLM multiplies a dense layer's two scales in float32, unless it has one for each output.
        scales = self._scales(operator, 0)
        if len(operator.inputs[1].scales) == 1:
            product = np.float32(operator.inputs[0].scale) * np.float32(operator.inputs[1].scale)
            scales = np.full(units, float(product) / operator.outputs[0].scale)
        self._weighted(operator, (given, output, Window(1, 1)), weights.reshape(units, 1, 1, depth), scales)

    def _scales(self, operator: flatbuffer.Operator, dimension: int) -> np.ndarray:
        """The real multiplier of each output channel, float64."""
        weights = operator.inputs[1]
        if any(weights.zero_points) or len(weights.scales) not in (1, weights.shape[dimension]):
            raise self.refuse(operator, "has weights that are not quantized symmetrically by output channel")
        scales = np.resize(np.array(weights.scales, np.float64), weights.shape[dimension])
        return operator.inputs[0].scale * scales / operator.outputs[0].scale

    def _weighted(
        self,
        operator: flatbuffer.Operator,
        place: tuple[Tensor, Tensor, Window],
        weights: np.ndarray,
        scales: np.ndarray,
        depth_multiplier: int | None = None,
    ) -> None:
        given, output, window = place
        channels = np.moveaxis(weights, -1, 0) if depth_multiplier else weights
        by_channel = channels.reshape(output.channels, -1).astype(np.int64)
        has_bias = len(operator.inputs) > 2 and operator.inputs[2] is not None
        bias = self.constant(operator, 2, "int32").astype(np.int64) if has_bias else np.zeros(output.channels, np.int64)
        bias = bias.reshape(-1) - given.zero_point * by_channel.sum(axis=1)
        if (np.abs(bias) + 128 * np.abs(by_channel).sum(axis=1)).max() >= 1 << 31:
            raise self.refuse(operator, "has sums that 32 bits cannot hold")
        multiplier, shift = np.array([arithmetic.quantize_multiplier(float(scale)) for scale in scales]).T
        lowest, highest = self.activation(operator, self.source.options(operator))
        self.layers.append(
            Convolution(
                operator.name,
                (given,),
                output,
                window,
                weights=weights,
                bias=bias.astype(np.int32),
                multiplier=multiplier.astype(np.int32),
                shift=shift.astype(np.int8),
                lowest=lowest,
                highest=highest,
                depth_multiplier=depth_multiplier,
            )
        )

    def _unpadded(self, ends: tuple[Tensor, Tensor], window: Window) -> tuple[Tensor, Tensor, Window]:
        """A convolution after a PAD with zero points reads what was padded, through a window with more padding."""
        given, output = ends
        pad = next((layer for layer in self.layers if layer.output == given), None)
        if not isinstance(pad, Pad) or pad.front or pad.inputs[0].channels != given.channels:
            return given, output, window
        if not pad.value == pad.inputs[0].zero_point == given.zero_point:
            return given, output, window
        wider = replace(window, pad_top=window.pad_top + pad.top, pad_left=window.pad_left + pad.left)
        return pad.inputs[0], output, wider

    def pool(self, operator: flatbuffer.Operator) -> None:
        options, ends = self.source.options(operator), self.ends(operator)
        window = self.window(operator, options, (options.filterHeight, options.filterWidth), ends)
        given, output = ends
        if given.zero_point != output.zero_point:
            raise self.refuse(operator, "changes the zero point")
        lowest, highest = self.activation(operator, options)
        saved = window.kernel_height * given.row_codes - 4 * output.row_codes
        by_row = operator.name == "AVERAGE_POOL_2D" and window.stride_height >= window.kernel_height > 1 and saved > 0
        kind = AveragePoolByRow if by_row else Pool
        self.layers.append(kind(operator.name, ends[:1], output, window, lowest, highest))

    def add_tensors(self, operator: flatbuffer.Operator) -> None:
        first, second, result = (*operator.inputs, operator.outputs[0])
        if first.is_constant or second.is_constant or not first.shape == second.shape == result.shape:
            raise self.refuse(operator, f"adds {list(first.shape)} to {list(second.shape)}, two layers' equal shapes are needed")
        twice_largest = 2 * max(first.scale, second.scale)
        reals = (first.scale / twice_largest, second.scale / twice_largest, twice_largest / ((1 << 20) * result.scale))
        lowest, highest = self.activation(operator, self.source.options(operator))
        rows = self.source.rows
        a, b, c = (arithmetic.quantize_multiplier(real) for real in reals)
        self.layers.append(
            Add(operator.name, (rows(first), rows(second)), rows(result), (a, b, c), lowest, highest)
        )

    def relu(self, operator: flatbuffer.Operator) -> None:
        given, output = self.ends(operator)
        source, sink = operator.inputs[0], operator.outputs[0]
        ratio = float(np.float32(source.scale) / np.float32(sink.scale))
        multiplier, shift = arithmetic.quantize_multiplier(ratio)
        scaled = [arithmetic.requantize(int(code) - source.zero_point, multiplier, shift) for code in _CODES]
        table = np.clip(np.array(scaled) + sink.zero_point, max(-128, sink.zero_point), 127)
        self.layers.append(Lookup(operator.name, (given,), output, table.astype(np.int8)))

    def relu6(self, operator: flatbuffer.Operator) -> None:
        given, output = self.ends(operator)
        source = operator.inputs[0]  # TFLM looks at the input's quantization alone
        highest = min(127, source.zero_point + arithmetic.quantized(6.0, source.scale))
        table = np.clip(_CODES, source.zero_point, highest)
        self.layers.append(Lookup(operator.name, (given,), output, table.astype(np.int8)))

    def softmax(self, operator: flatbuffer.Operator) -> None:
        given, output = self.ends(operator)
        if output.channels > _MOST_SUMMANDS:
            raise self.refuse(operator, f"is over {output.channels} channels, at most {_MOST_SUMMANDS} expected")
        sink = operator.outputs[0]
        if (sink.scale, sink.zero_point) != (1 / 256, -128):
            raise self.refuse(operator, f"has the output scale {sink.scale:g} and zero point {sink.zero_point}, 1/256 and -128 expected")
        try:
            table = arithmetic.exponentials(operator.inputs[0].scale, self.source.options(operator).beta)
        except ValueError as error:
            raise self.refuse(operator, str(error)) from error
        self.layers.append(Softmax(operator.name, (given,), output, np.array(table, np.int32)))

    def mean(self, operator: flatbuffer.Operator) -> None:
        given, output = self.ends(operator)
        axes = {int(axis) % len(operator.inputs[0].shape) for axis in self.constant(operator, 1, "int32").reshape(-1)}
        if len(operator.inputs[0].shape) != 4 or axes != {1, 2}:
            raise self.refuse(operator, f"is over the axes {sorted(axes)}, height and width are needed")
        pixels = given.height * given.width
        multiplier, shift = arithmetic.quantize_multiplier(operator.inputs[0].scale / operator.outputs[0].scale)
        # `reference/reduce.h`: as much of the division as the multiplier has room for goes into the shift.
        down = min(pixels.bit_length() - 1, 32, 31 + shift)
        self.layers.append(
            Mean(operator.name, (given,), output, (multiplier << down) // pixels, shift - down)
        )

    def reshape(self, operator: flatbuffer.Operator) -> None:
        given, output = self.ends(operator)
        self.layers.append(Reshape(operator.name, (given,), output))

    def _reshaped(self, operator: flatbuffer.Operator, given: Tensor, height: int, width: int, channels: int) -> Tensor:
        between = Tensor(-1 - operator.index, f"{given.name} in rows", height, width, channels, given.zero_point)
        self.layers.append(Reshape("RESHAPE", (given,), between))
        return between

    def pad(self, operator: flatbuffer.Operator) -> None:
        given, output = self.ends(operator)
        amounts = self.constant(operator, 1, "int32")
        rank = len(operator.inputs[0].shape)
        amounts = amounts.reshape(-1, 2)
        if amounts.min() < 0 or (rank > 2 and amounts[0].any()):
            raise self.refuse(operator, f"pads by {amounts.tolist()}, none before and after the first axis expected")
        value = int(self.constant(operator, 2, "int8").reshape(-1)[0]) if len(operator.inputs) > 2 else output.zero_point
        before = [int(amount) for amount in amounts[:, 0]]
        # Batches, rows, columns, channels; ranks below 4 have no columns, rank 1 no rows.
        top, left, front = {4: before[1:], 3: [*before[1:2], 0, *before[2:]], 2: [before[0], 0, before[1]], 1: [0, 0, *before]}[rank]
        self.layers.append(Pad(operator.name, (given,), output, top, left, front, value))


_OPERATORS: dict[str, Callable[[_Lowering, flatbuffer.Operator], None]] = {
    "ADD": _Lowering.add_tensors,
    "AVERAGE_POOL_2D": _Lowering.pool,
    "CONV_2D": _Lowering.convolution,
    "DEPTHWISE_CONV_2D": _Lowering.depthwise,
    "FULLY_CONNECTED": _Lowering.dense,
    "MAX_POOL_2D": _Lowering.pool,
    "MEAN": _Lowering.mean,
    "PAD": _Lowering.pad,
    "PADV2": _Lowering.pad,
    "RELU": _Lowering.relu,
    "RELU6": _Lowering.relu6,
    "RESHAPE": _Lowering.reshape,
    "SOFTMAX": _Lowering.softmax,
}


def _enum_name(enum: str, value: int) -> str:
    from ai_edge_litert import schema_py_generated as schema

    return next(name for name, code in vars(getattr(schema, enum)).items() if code == value and not name.startswith("_"))
