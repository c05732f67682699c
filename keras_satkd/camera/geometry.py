"""Geometry: misregistration of the bands, and resampling."""

import numpy as np

from keras_satkd.camera import separable
from keras_satkd.camera.pixels import generators, to_float


def misregistration(images: np.ndarray, pixels: float | np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Shift every band except the middle one in a random direction, by cubic interpolation.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        pixels: length of the shift in pixels, ≥ 0; a number, [N] or [N, C].
        seeds: int [N], not negative.

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    count, bands = len(images), images.shape[-1]
    drawn = [generator.uniform(0, 2 * np.pi, bands) for generator in generators(seeds, "registration")]
    angles = np.array(drawn).reshape(count, bands)
    lengths = np.asarray(pixels, np.float64)
    lengths = np.broadcast_to(lengths[:, None] if lengths.ndim == 1 else lengths, (count, bands)).copy()
    lengths[:, bands // 2] = 0
    return shift(images, lengths * np.sin(angles), lengths * np.cos(angles))


def shift(images: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Shift every band of every image by cubic interpolation. Images are reflected at their borders.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        down: float [N, C], shift toward the last row in pixels.
        right: float [N, C], shift toward the last column in pixels.

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    count, height, width, bands = images.shape

    def filters(offsets: np.ndarray, size: int) -> np.ndarray:
        centres = np.arange(size) - np.asarray(offsets, np.float64).reshape(-1, 1)
        return separable.cubic(centres, size).reshape(count, bands, size, size)

    return separable.apply(to_float(images), filters(down, height), filters(right, width))


def resample(images: np.ndarray, factor: float) -> np.ndarray:
    """Resize to `factor` times the size by cubic interpolation, then back to the original size.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        factor: > 0; below 1, the images lose resolution.

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    sizes = images.shape[1:3]
    between = [max(1, round(size * factor)) for size in sizes]

    def filters(outputs: int, inputs: int) -> np.ndarray:
        ratio = inputs / outputs
        centres = (np.arange(outputs) + 0.5) * ratio - 0.5
        return separable.cubic(centres[None], inputs, max(1.0, ratio))[None]

    there = [filters(small, size) for size, small in zip(sizes, between, strict=True)]
    back = [filters(size, small) for size, small in zip(sizes, between, strict=True)]
    return separable.apply(separable.apply(to_float(images), *there), *back)
