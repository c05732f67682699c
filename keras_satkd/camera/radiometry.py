"""Radiometry: gain, offset and quantization."""

import numpy as np

from keras_satkd.camera.pixels import generators, per_image, to_float


def gain(images: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
    """Multiply the pixels by a factor.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        factor: ≥ 0; a number, [N] or [N, C].

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    scaled: np.ndarray = to_float(images) * per_image(factor, images)
    return scaled


def band_gain(images: np.ndarray, percent: float | np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Multiply every band of every image by `1 + percent / 100` or `1 − percent / 100`, chosen at random.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        percent: change of the gain in percent, ≥ 0; a number, [N] or [N, C].
        seeds: int [N], not negative.

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    bands = images.shape[-1]
    drawn = [generator.integers(2, size=bands) for generator in generators(seeds, "band gain")]
    signs = 2 * np.array(drawn, np.float32).reshape(len(images), 1, 1, bands) - 1
    return to_float(images) * (1 + per_image(percent, images) / 100 * signs)


def offset(images: np.ndarray, levels: float | np.ndarray) -> np.ndarray:
    """Add a constant to the pixels: dark current, or an error in its correction.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        levels: the constant on the scale 0..255, of either sign; a number, [N] or [N, C].

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    shifted: np.ndarray = to_float(images) + per_image(levels, images)
    return shifted


def quantize(images: np.ndarray, bits: float | np.ndarray) -> np.ndarray:
    """Clip to 0..255 and round to the nearest of `2^bits` evenly spaced levels.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        bits: number of bits per pixel and band, ≥ 1; a number, [N] or [N, C]. It need not be an integer.

    Returns:
        float32 [N, H, W, C] in 0..255.
    """
    steps = 2 ** per_image(bits, images) - 1
    rounded: np.ndarray = np.rint(np.clip(to_float(images), 0, 255) * steps / 255) * 255 / steps
    return rounded
