"""What all disturbances share: number formats, severities and random numbers of single images."""

import zlib
from collections.abc import Callable

import numpy as np

_PART = 256
"""Images that are disturbed at a time."""


def to_float(images: np.ndarray) -> np.ndarray:
    """Images [N, H, W, C] in 0..255 as float32."""
    return np.asarray(images, np.float32)


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Round to the nearest level and clip to 0..255, as the analogue-to-digital converter does."""
    return pixels if pixels.dtype == np.uint8 else np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def in_parts(
    images: np.ndarray, first_seed: int, disturb: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Disturb many images: filters and float images take many times their memory.

    Args:
        images: uint8 [N, H, W, C].
        first_seed: seed of the first image; those of the others follow.
        disturb: images and seeds of a part → images, float or uint8.

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
    """A severity that broadcasts against images [N, H, W, C].

    Args:
        severity: one number, one an image [N], or one an image and band [N, C].
        images: [N, H, W, C].

    Returns:
        float32 [N, 1, 1, 1], or [N, 1, 1, C].

    Raises:
        ValueError: another shape.
    """
    values = np.asarray(severity, np.float32)
    count, bands = images.shape[0], images.shape[-1]
    if values.shape not in ((), (count,), (count, bands)):
        raise ValueError(f"severity of shape {values.shape}: a number, [{count}] or [{count}, {bands}] expected")
    if values.ndim < 2:
        values = np.broadcast_to(values, (count,))[:, None]
    return values[:, None, None, :]


def generators(seeds: np.ndarray, purpose: str) -> list[np.random.Generator]:
    """One source of random numbers an image.

    Args:
        seeds: int [N], not negative.
        purpose: names what is drawn, so that two disturbances of an image are independent.
    """
    stream = zlib.crc32(purpose.encode())
    # Counter-based: the key needs no mixing, which costs default_rng twice the time.
    return [np.random.Generator(np.random.Philox(key=[stream, int(seed)])) for seed in seeds]
