"""Atmosphere: haze and thin cloud."""

import numpy as np

from keras_satkd.camera import separable
from keras_satkd.camera.pixels import generators, per_image, to_float

BRIGHTNESS = 230.0
"""Brightness of opaque haze and cloud in all bands, in 0..255."""

PATCH = 1 / 8
"""Standard deviation of the blur that turns white noise into patches of cloud, as a fraction of the image's height."""


def haze(images: np.ndarray, transmission: float | np.ndarray) -> np.ndarray:
    """Mix the pixels x with a bright constant: `t·x + (1 − t)·BRIGHTNESS`.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        transmission: t in 0..1; a number, [N] or [N, C].

    Returns:
        float32 [N, H, W, C] in 0..255.
    """
    share = per_image(transmission, images)
    hazy: np.ndarray = share * to_float(images) + (1 - share) * np.float32(BRIGHTNESS)
    return hazy


def thin_cloud(images: np.ndarray, opacity: float | np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Cover about half of each image with patches of cloud.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        opacity: opacity of the thickest point, in 0..1; a number or [N].
        seeds: int [N], not negative.

    Returns:
        float32 [N, H, W, C] in 0..255.
    """
    height, width = images.shape[1:3]
    drawn = [generator.standard_normal((height, width, 1), np.float32) for generator in generators(seeds, "cloud")]
    fields = np.array(drawn).reshape(len(images), height, width, 1)
    sigma = np.array([PATCH * height])
    fields = separable.apply(fields, *(separable.gaussian(sigma, size)[None] for size in (height, width)))
    above = np.maximum(fields - np.median(fields, axis=(1, 2), keepdims=True), 0)
    thickness = above / np.maximum(above.max(axis=(1, 2), keepdims=True), 1e-6)
    cover = per_image(opacity, images) * thickness
    clouded: np.ndarray = (1 - cover) * to_float(images) + cover * np.float32(BRIGHTNESS)
    return clouded
