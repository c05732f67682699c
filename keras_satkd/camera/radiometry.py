"""Radiometry: gain, offset and number of bits."""

import numpy as np

from keras_satkd.camera.pixels import generators, per_image, to_float


def gain(images: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
    """Multiply the pixels.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        factor: a number, [N] or [N, C].

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    scaled: np.ndarray = to_float(images) * per_image(factor, images)
    return scaled


def band_gain(images: np.ndarray, percent: float | np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Multiply every band of every image by `1 + percent / 100` or `1 − percent / 100`; draws decide which.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        percent: a number, [N] or [N, C].
        seeds: int [N].

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    bands = images.shape[-1]
    drawn = [generator.integers(2, size=bands) for generator in generators(seeds, "band gain")]
    signs = 2 * np.array(drawn, np.float32).reshape(len(images), 1, 1, bands) - 1
    return to_float(images) * (1 + per_image(percent, images) / 100 * signs)


def offset(images: np.ndarray, levels: float | np.ndarray) -> np.ndarray:
    """Add `levels` of 255 to the pixels: dark current, or its wrong correction.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        levels: a number, [N] or [N, C], of either sign.

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    shifted: np.ndarray = to_float(images) + per_image(levels, images)
    return shifted


def quantize(images: np.ndarray, bits: float | np.ndarray) -> np.ndarray:
    """Round to `2^bits` even levels from 0 to 255.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        bits: ≥ 1: a number, [N] or [N, C].

    Returns:
        float32 [N, H, W, C] in 0..255.
    """
    steps = 2 ** per_image(bits, images) - 1
    rounded: np.ndarray = np.rint(np.clip(to_float(images), 0, 255) * steps / 255) * 255 / steps
    return rounded
