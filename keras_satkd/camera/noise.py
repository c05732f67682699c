"""Radiometric noise: photon noise and read noise."""

import numpy as np

from keras_satkd.camera.pixels import generators, per_image, to_float

PHOTON_SHARE = 0.5
"""Share of photon noise in the noise variance at the image's mean; the rest is read noise."""


def photon_and_read(
    images: np.ndarray, snr: float | np.ndarray, seeds: np.ndarray, photon_share: float = PHOTON_SHARE
) -> np.ndarray:
    """Add independent normal noise of variance `a·L + b` to every pixel and band, where L is the pixel's value.

    L and the mean m of an image (over all bands) are those of the pixels without negative ones. At m, the standard
    deviation is `m / snr`: `a = photon_share · m / snr²` and `b = (1 − photon_share) · (m / snr)²`.

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        snr: signal-to-noise ratio at the image's mean, > 0; a number, [N] or [N, C].
        seeds: int [N], not negative.
        photon_share: share of photon noise in the variance at the mean, in [0, 1].

    Returns:
        float32 [N, H, W, C], not clipped.
    """
    pixels = to_float(images)
    signal = np.maximum(pixels, 0)
    mean = signal.mean(axis=(1, 2, 3), keepdims=True)
    deviation = mean / per_image(snr, images)
    # The noise is relative to the signal, so a black image has none.
    relative = signal / np.maximum(mean, 1e-6)
    normal = np.empty_like(pixels)
    for noise, generator in zip(normal, generators(seeds, "noise"), strict=True):
        generator.standard_normal(out=noise, dtype=np.float32)
    noisy: np.ndarray = pixels + deviation * np.sqrt(photon_share * relative + (1 - photon_share)) * normal
    return noisy
