"""Helpers of all disturbances: number formats, severities, and a random generator per image."""

import zlib
from collections.abc import Callable

import numpy as np

_PART = 256
"""Number of images that are disturbed at a time."""


def to_float(images: np.ndarray) -> np.ndarray:
    """Convert images [N, H, W, C] in 0..255 to float32."""
    return np.asarray(images, np.float32)


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Round to the nearest level and clip to 0..255, as an analog-to-digital converter does; uint8 stays unchanged."""
    return pixels if pixels.dtype == np.uint8 else np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def in_parts(
    images: np.ndarray, first_seed: int, disturb: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Disturb many images in parts, because filters and float images need many times the memory of the images.

    Args:
        images: uint8 [N, H, W, C].
        first_seed: seed of the first image, not negative; each next image has the next integer.
        disturb: images uint8 [M, H, W, C] and seeds int [M] → images, float or uint8.

    Returns:
        uint8 [N, H, W, C].
    """
    disturbed = np.empty(images.shape, np.uint8)
    for at in range(0, len(images), _PART):
        part = images[at : at + _PART]
        seeds = np.arange(first_seed + at, first_seed + at + len(part))
        disturbed[at : at + _PART] = to_uint8(disturb(part, seeds))
    return disturbed


def per_image(severity: float | np.ndarray, images: np.ndarray) -> np.ndarray:
    """Reshape a severity so that it broadcasts against images [N, H, W, C].

    Args:
        severity: one number, one per image [N], or one per image and band [N, C].
        images: [N, H, W, C].

    Returns:
        float32 [N, 1, 1, 1], or [N, 1, 1, C].

    Raises:
        ValueError: the severity has another shape.
    """
    values = np.asarray(severity, np.float32)
    count, bands = images.shape[0], images.shape[-1]
    if values.shape not in ((), (count,), (count, bands)):
        raise ValueError(f"severity of shape {values.shape}: a number, [{count}] or [{count}, {bands}] expected")
    if values.ndim < 2:
        values = np.broadcast_to(values, (count,))[:, None]
    return values[:, None, None, :]


def generators(seeds: np.ndarray, purpose: str) -> list[np.random.Generator]:
    """One random generator per image.

    Args:
        seeds: int [N], not negative.
        purpose: name of the disturbance, so that different disturbances of an image are independent.
    """
    stream = zlib.crc32(purpose.encode())
    # Philox is counter-based, so its key needs no mixing; default_rng mixes its seed and takes twice the time.
    return [np.random.Generator(np.random.Philox(key=[stream, int(seed)])) for seed in seeds]
