"""Optics and motion: point spread function and smear."""

import numpy as np

from keras_satkd.camera import separable
from keras_satkd.camera.pixels import generators, per_image, to_float
from keras_satkd.data.corruptions import line_kernel


def point_spread(images: np.ndarray, sigma: float | np.ndarray) -> np.ndarray:
    """Blur by a Gaussian point spread function.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        sigma: standard deviation in pixels, ≥ 0; a number, [N] or [N, C].

    Returns:
        float32 [N, H, W, C].
    """
    pixels = to_float(images)
    sigmas = per_image(sigma, images)[:, 0, 0]
    down, across = (
        separable.gaussian(sigmas.ravel(), size).reshape(*sigmas.shape, size, size) for size in images.shape[1:3]
    )
    return separable.apply(pixels, down, across)


def smear(images: np.ndarray, length: float | np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Blur along a straight line in a random direction: uniform motion during exposure.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        length: length of the line in pixels, ≥ 0; a number or [N].
        seeds: int [N], not negative.

    Returns:
        float32 [N, H, W, C].
    """
    pixels = to_float(images)
    lengths = np.broadcast_to(np.asarray(length, np.float64), len(images))
    smeared = np.zeros_like(pixels)
    for at, generator in enumerate(generators(seeds, "smear")):
        kernel = line_kernel(float(lengths[at]), generator.uniform(0, np.pi))
        radius = len(kernel) // 2
        padded = np.pad(pixels[at], ((radius, radius), (radius, radius), (0, 0)), "symmetric")
        height, width = images.shape[1:3]
        # The line crosses few cells of the kernel, so a sum of shifted images is faster than a full convolution.
        for row, column in np.argwhere(kernel):
            smeared[at] += np.float32(kernel[row, column]) * padded[row : row + height, column : column + width]
    return smeared
