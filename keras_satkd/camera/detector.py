"""Detector: column gain, dead columns and defective pixels."""

import numpy as np

from keras_satkd.camera.pixels import generators, per_image, to_float


def stripes(images: np.ndarray, percent: float | np.ndarray, seeds: np.ndarray, shared: bool = False) -> np.ndarray:
    """Multiply each column by a normally distributed gain of mean 1: photo response non-uniformity of a line detector.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        percent: standard deviation of the gain in percent, ≥ 0; a number, [N] or [N, C].
        seeds: int [N], not negative.
        shared: give all bands the same gains, as if one detector captured them; otherwise the bands are independent.

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    pixels = to_float(images)
    width, bands = images.shape[2:]
    drawn = [generator.standard_normal((width, 1 if shared else bands)) for generator in generators(seeds, "stripes")]
    deviations = np.array(drawn, np.float32).reshape(len(images), 1, width, -1)
    return pixels * (1 + per_image(percent, images) / 100 * deviations)


def defective_pixels(images: np.ndarray, percent: float | np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Set randomly chosen pixels of single bands to 0 or 255, each with the same probability.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        percent: expected share of defective pixels in percent, 0..100; a number, [N] or [N, C].
        seeds: int [N], not negative.

    Returns:
        float32 [N, H, W, C].
    """
    shape = images.shape[1:]
    draws = np.array([generator.random(shape, np.float32) for generator in generators(seeds, "defects")])
    parts = draws.reshape(images.shape) / (per_image(percent, images) / 100 + np.float32(1e-12))
    return np.where(parts >= 1, to_float(images), np.where(parts < 0.5, np.float32(0), np.float32(255)))


def dead_columns(images: np.ndarray, columns: float | np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Set randomly chosen columns to 0 in all bands.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        columns: mean number of dead columns per image, 0..W; a number or [N]. A fraction is rounded up or down at
            random.
        seeds: int [N], not negative.

    Returns:
        float32 [N, H, W, C].
    """
    pixels = to_float(images).copy()
    means = np.broadcast_to(np.asarray(columns, float), len(images))
    for image, mean, generator in zip(pixels, means, generators(seeds, "dead columns"), strict=True):
        order = generator.permutation(images.shape[2])
        image[:, order[: int(mean + generator.random())]] = 0
    return pixels
