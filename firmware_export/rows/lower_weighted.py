"""The operators with weights: CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, and TRANSPOSE_CONV."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from firmware_export.rows import arithmetic
from firmware_export.rows.layers import Convolution, Layer, Pad, Reshape, Tensor, Window
from firmware_export.rows.layers_structure import TransposedConvolution
from firmware_export.rows.reader import Source
from firmware_export.tflite.graph import Operator
from firmware_export.tflite.graph import Tensor as StoredTensor
from firmware_export.tflite.model import enum_name


def convolution(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """CONV_2D."""
    weights, (given, output) = source.constant(operator, 1, "int8"), source.ends(operator)
    if weights.shape[3] != given.channels:
        raise source.refuse(operator, f"is grouped (weights for {weights.shape[3]} of {given.channels} input channels)")
    window = source.window(operator, weights.shape[1:3])
    return [_layer(source, operator, *_unpadded(given, window, earlier), output, weights, _scales(source, operator, 0))]


def depthwise(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """DEPTHWISE_CONV_2D."""
    weights, (given, output) = source.constant(operator, 1, "int8"), source.ends(operator)
    multiplier, rest = divmod(output.channels, given.channels)
    if rest:
        raise source.refuse(
            operator,
            f"has {output.channels} output channels, expected a multiple of its {given.channels} input channels",
        )
    window, scales = source.window(operator, weights.shape[1:3]), _scales(source, operator, 3)
    place = _unpadded(given, window, earlier)
    return [_layer(source, operator, *place, output, weights[0], scales, depth_multiplier=multiplier)]


def dense(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """FULLY_CONNECTED: a 1×1 convolution over pixels with as many channels as each unit has weights."""
    weights, (given, output) = source.constant(operator, 1, "int8"), source.ends(operator)
    weights_format = source.options(operator, "weightsFormat")["weightsFormat"]
    if enum_name("FullyConnectedOptionsWeightsFormat", weights_format) != "DEFAULT":
        raise source.refuse(operator, "has shuffled weights")
    units, depth = weights.shape
    pixels = output.height * output.width
    if (pixels * depth, output.channels) != (given.height * given.row_codes, units):
        raise source.refuse(
            operator,
            f"has weights of shape {list(weights.shape)}, which do not match its input {list(operator.given(0).shape)}",
        )
    layers: list[Layer] = []
    if (given.height, given.width, given.channels) != (output.height, output.width, depth):
        flat = replace(given, index=-1 - operator.index, height=output.height, width=output.width, channels=depth)
        layers.append(Reshape("RESHAPE", (given,), flat))
        given = flat
    scales = _scales(source, operator, 0)
    if len(operator.given(1).scales) == 1:
        product = arithmetic.scale_product(operator.given(0).scale, operator.given(1).scale, source.dense_scale)
        scales = np.full(units, product / operator.outputs[0].scale)
    weights = weights.reshape(units, 1, 1, depth)
    return [*layers, _layer(source, operator, given, Window(1, 1), output, weights, scales)]


def transposed(source: Source, operator: Operator, earlier: Sequence[Layer]) -> list[Layer]:
    """TRANSPOSE_CONV, whose padding TFLM computes as that of the convolution from its output to its input."""
    weights, options = source.constant(operator, 1, "int8"), source.options(operator, "strideH")
    stored = operator.given(2)
    given, output = source.activation_of(operator, stored), source.activation_of(operator, operator.outputs[0])
    if (weights.shape[0], weights.shape[3]) != (output.channels, given.channels):
        raise source.refuse(operator, f"has weights of shape {list(weights.shape)} for {given.channels} input channels")
    _, height, width, _ = weights.shape
    kernel, strides = (height, width), (options["strideH"], options["strideW"])
    if min(strides) < 1:
        raise source.refuse(operator, f"has the strides {strides}, expected 1 or more")
    is_same = enum_name("Padding", options["padding"]) == "SAME"
    pads = []
    for size, taps, stride in zip((output.height, output.width), kernel, strides, strict=True):
        inputs = -(-size // stride) if is_same else (size + stride - taps) // stride
        pads.append(max(0, (inputs - 1) * stride + taps - size) // 2)
    by_channel = weights.reshape(output.channels, -1).astype(np.int64)
    bias = _bias(source, operator, 3, output.channels)
    if (np.abs(bias.astype(np.int64)) + 255 * np.abs(by_channel).sum(axis=1)).max() >= 1 << 31:
        raise source.refuse(operator, "has sums that overflow 32 bits")
    scales = _scales(source, operator, 0, stored)
    top, left = pads
    window = Window(*kernel, *strides, top, left)
    constants = (weights, bias, *_multipliers(scales), *source.activation(operator))
    return [TransposedConvolution(operator.name, (given,), output, window, *constants)]


def _bias(source: Source, operator: Operator, position: int, channels: int) -> np.ndarray:
    """int32 [channels]; zeros if the operator has none."""
    has_bias = len(operator.inputs) > position and operator.inputs[position] is not None
    return source.constant(operator, position, "int32").reshape(-1) if has_bias else np.zeros(channels, np.int32)


def _multipliers(scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The multipliers, int32, and the shifts, int8, of real multipliers."""
    multiplier, shift = np.array([arithmetic.quantize_multiplier(float(scale)) for scale in scales]).T
    return multiplier.astype(np.int32), shift.astype(np.int8)


def _scales(source: Source, operator: Operator, dimension: int, given: StoredTensor | None = None) -> np.ndarray:
    """The real multiplier of each output channel, float64; the input is the first one, or `given`."""
    weights = operator.given(1)
    channels = weights.shape[dimension]
    if any(weights.zero_points) or len(weights.scales) not in (1, channels):
        raise source.refuse(
            operator, "has weights that are not quantized symmetrically per tensor or per output channel"
        )
    scales = np.resize(np.array(weights.scales, np.float64), channels)
    return (given or operator.given(0)).scale * scales / operator.outputs[0].scale


def _unpadded(given: Tensor, window: Window, earlier: Sequence[Layer]) -> tuple[Tensor, Window]:
    """Merge a preceding PAD with zero points into the window: the input of the PAD, and a window with more padding."""
    pad = next((layer for layer in earlier if layer.output == given), None)
    if not isinstance(pad, Pad) or pad.inputs[0].channels != given.channels:
        return given, window
    if not pad.value == pad.inputs[0].zero_point == given.zero_point:
        return given, window
    return pad.inputs[0], replace(window, pad_top=window.pad_top + pad.top, pad_left=window.pad_left + pad.left)


def _layer(
    source: Source,
    operator: Operator,
    given: Tensor,
    window: Window,
    output: Tensor,
    weights: np.ndarray,
    scales: np.ndarray,
    depth_multiplier: int | None = None,
) -> Layer:
    by_channel = (weights if depth_multiplier is None else np.moveaxis(weights, -1, 0)).reshape(output.channels, -1)
    by_channel = by_channel.astype(np.int64)
    bias = _bias(source, operator, 2, output.channels).astype(np.int64)
    bias -= given.zero_point * by_channel.sum(axis=1)
    if (np.abs(bias) + 128 * np.abs(by_channel).sum(axis=1)).max() >= 1 << 31:
        raise source.refuse(operator, "has sums that overflow 32 bits")
    multiplier, shift = _multipliers(scales)
    lowest, highest = source.activation(operator)
    return Convolution(
        operator.name,
        (given,),
        output,
        window,
        weights=weights,
        bias=bias.astype(np.int32),
        multiplier=multiplier,
        shift=shift,
        lowest=lowest,
        highest=highest,
        depth_multiplier=depth_multiplier,
    )
