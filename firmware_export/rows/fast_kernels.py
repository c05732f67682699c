"""Requirements of the row engine's fast kernels: scratch memory, and sums within bounds.

The kernels are `satkd_engine_dsp.h` (Armv7E-M and Armv8-M with the DSP extension) and `satkd_engine_mve.h` (Helium) in
`templates/rows/engine`. They read weights in the layout of TensorFlow Lite.
"""

from collections.abc import Mapping

import numpy as np

_WHOLE_PATCHES_BYTES = 2560
"""`SATKD_WHOLE_PATCHES_BYTES` in satkd_engine_dsp.h."""

_LARGEST_FAST_SUM = 1 << 30


def conv_scratch_bytes(kernel_height: int, kernel_width: int, channels_in: int, channels_out: int) -> Mapping[str, int]:
    """The size of the scratch memory that `satkd_conv_row` gets as its last argument, in bytes, aligned to 4.

    Returns:
        By kernels: `portable` (always 0), `dsp` and `mve`; multiples of 4.
    """
    row_bytes = kernel_width * channels_in
    depth = kernel_height * row_bytes
    return {
        "portable": 0,
        "dsp": _dsp_scratch_bytes(row_bytes, depth, channels_out),
        "mve": 2 * _round_up(depth, 16) + (_round_up(depth, 4) if row_bytes % 16 else 0),
    }


def _dsp_scratch_bytes(row_bytes: int, depth: int, channels_out: int) -> int:
    """Four pixels, widened to int16: their whole patches, or one kernel row of each and int32 sums."""
    if row_bytes % 4:
        return (4 * 2 + 4) * _round_up(depth, 4)  # plus the patch, assembled before it is widened
    if 4 * 2 * depth > _WHOLE_PATCHES_BYTES:
        return 4 * 2 * row_bytes + 4 * 4 * channels_out
    return 4 * 2 * depth


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def fits_fast_sums(weights: np.ndarray, bias: np.ndarray) -> bool:
    """Whether the DSP kernels compute a layer exactly: every sum of products lies within ±2³⁰.

    Otherwise, which occurs for a large bias of a channel with nearly zero weights, the layer uses the portable kernel.
    The Helium kernels are exact for every sum within int32.

    Args:
        weights: int8, output channels first.
        bias: int32 [output channels], as passed to the kernel.
    """
    products = 128 * np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(axis=1)
    return bool((np.abs(bias.astype(np.int64)) + products < _LARGEST_FAST_SUM).all())
