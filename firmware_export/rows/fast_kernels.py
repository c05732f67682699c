"""Requirements of the row engine's fast kernels: scratch memory, and sums within bounds.

The kernels are `satkd_engine_dsp.h` (Armv7E-M and Armv8-M with the DSP extension) and `satkd_engine_mve.h` (Helium) in
`templates/rows/engine`. They read weights in the layout of TensorFlow Lite.
"""

from collections.abc import Mapping

import numpy as np

from firmware_export.rows import engine
from firmware_export.rows.layers import Convolution, Layer

_WHOLE_PATCHES_BYTES = 2560
"""`SATKD_WHOLE_PATCHES_BYTES` in satkd_engine_dsp.h."""

_PIXEL_INPUTS = 1024
"""`SATKD_PIXEL_INPUTS` in satkd_engine_dsp_pixel.h."""

_LARGEST_FAST_SUM = 1 << 30

_SMALL_RIGHT_SHIFT = 22
"""The most places by which the DSP kernels' assembly shifts: it adds the zero point before the shift."""


def fast_sums(layer: Convolution) -> int:
    """`has_fast_sums`: 0 if the fast kernels cannot run a layer, 2 if they must requantize any sum, else 1."""
    is_depthwise = layer.depth_multiplier is not None
    is_tall = layer.window.kernel_height > engine.MOST_KERNEL_ROWS
    if layer.window.dilation_width != 1 or (is_tall and not is_depthwise):
        return 0
    by_channel = np.moveaxis(layer.weights, -1, 0) if is_depthwise else layer.weights
    return 1 if fits_fast_sums(by_channel, layer.bias) else 2


def right_shifts(layer: Convolution) -> int:
    """`has_right_shifts`: 0 if a channel does not shift right, 1 if one shifts by more than 22 places, otherwise 2.

    3 in place of 2 if all channels have the same multiplier and shift.
    """
    if not (layer.shift < 0).all():
        return 0
    if not (layer.shift >= -_SMALL_RIGHT_SHIFT).all():
        return 1
    return 3 if len({*zip(layer.multiplier.tolist(), layer.shift.tolist(), strict=True)}) == 1 else 2


def has_fast_kernel(layer: Layer) -> bool:
    """Whether a core-specific kernel of convolutions can run a layer; a depthwise convolution has one of its own."""
    return isinstance(layer, Convolution) and layer.depth_multiplier is None and fast_sums(layer) != 0


def scratch_bytes(layer: Layer) -> Mapping[str, int]:
    """The size of the scratch memory of a layer, by kernels, in bytes; multiples of 4."""
    if not has_fast_kernel(layer) or not isinstance(layer, Convolution):
        return dict.fromkeys(engine.KERNELS, 0)
    window, output = layer.window, layer.output
    return conv_scratch_bytes(
        window.kernel_height, window.kernel_width, layer.inputs[0].channels, output.channels, output.width
    )


def conv_scratch_bytes(
    kernel_height: int, kernel_width: int, channels_in: int, channels_out: int, width_out: int
) -> Mapping[str, int]:
    """The size of the scratch memory that `satkd_conv_row` gets as its last argument, in bytes, aligned to 4.

    Returns:
        By kernels: `portable` (always 0), `dsp` and `mve`; multiples of 4.
    """
    row_bytes = kernel_width * channels_in
    depth = kernel_height * row_bytes
    return {
        "portable": 0,
        "dsp": _dsp_scratch_bytes(row_bytes, depth, channels_out, width_out),
        "mve": _mve_scratch_bytes(row_bytes, depth, width_out),
    }


def _dsp_scratch_bytes(row_bytes: int, depth: int, channels_out: int, width_out: int) -> int:
    """Pixels, widened to int16: their whole patches, or a part of each and int32 sums."""
    if row_bytes % 4:
        return (4 * 2 + 4) * _round_up(depth, 4)  # of four pixels, plus the patch, assembled before it is widened
    one = 2 * depth if depth <= _PIXEL_INPUTS else 2 * min(row_bytes, _PIXEL_INPUTS) + 4 * channels_out
    if width_out < 4:
        return one
    four = 4 * 2 * row_bytes + 4 * 4 * channels_out if 4 * 2 * depth > _WHOLE_PATCHES_BYTES else 4 * 2 * depth
    return max(one, four)


def _mve_scratch_bytes(row_bytes: int, depth: int, width_out: int) -> int:
    """The patches of two pixels, 16 bytes of each in turn, and a patch before that; a lone pixel needs none."""
    if width_out == 1:
        return 0
    return 2 * _round_up(depth, 16) + (_round_up(depth, 4) if row_bytes % 16 else 0)


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def fits_fast_sums(weights: np.ndarray, bias: np.ndarray) -> bool:
    """Whether the DSP kernels may requantize a layer in the fast way: every sum of products lies within ±2³⁰.

    Otherwise, which occurs for a large bias of a channel with nearly zero weights, they requantize as the portable one.
    The Helium kernels are exact for every sum within int32.

    Args:
        weights: int8, output channels first.
        bias: int32 [output channels], as passed to the kernel.
    """
    products = 128 * np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(axis=1)
    return bool((np.abs(bias.astype(np.int64)) + products < _LARGEST_FAST_SUM).all())
