"""Integer statistics of an image and of the outputs for it, as the monitor's C computes them."""

import numpy as np

from firmware_export.verify.abstention import top_margins

LARGEST_IMAGE = (2**31 - 1) // 1020
"""Largest number of values in an image (height × width × bands): a value adds at most 1020 to an int32 sum."""

_IMAGES = 256  # at a time: int32 copies of all images would fill the memory


def meanings(bands: int) -> dict[str, str]:
    """What each of the K statistics is, by name and in order, of images with this number of bands.

    Each is a sum over the image, so that the part can add up row by row.

    >>> list(meanings(1))
    ['band 0', 'direction', 'texture', 'contrast', 'dark', 'bright', 'margin']
    """
    color = {"color texture": "differences of these mixed differences between neighboring bands"}
    return {
        **{f"band {band}": f"values of band {band}" for band in range(bands)},
        "direction": "differences of horizontal neighbors, minus those of vertical neighbors",
        "texture": "mixed differences: vertical ones of horizontal ones",
        **(color if bands > 1 else {}),
        "contrast": "differences of values half a row apart",
        "dark": "number of values at the lower end of the range",
        "bright": "number of values at the upper end of the range",
        "margin": "difference between the two highest outputs",
    }


def of(images: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The statistics of every image; differences are absolute.

    Args:
        images: uint8 or int8 [N, H, W, B], H ≥ 2, W ≥ 2, H · W · B ≤ `LARGEST_IMAGE`, as firmware feeds them.
        outputs: int8 [N, …], at least two per image.

    Returns:
        int32 [N, K], in the order of `meanings`.
    """
    parts = [_of_images(images[start : start + _IMAGES]) for start in range(0, len(images), _IMAGES)]
    margins = top_margins(outputs.reshape(len(outputs), -1))
    return np.column_stack([np.concatenate(parts), margins]).astype(np.int32)


def _of_images(images: np.ndarray) -> np.ndarray:
    limits = np.iinfo(images.dtype)
    values = images.astype(np.int32)
    right, down = np.diff(values, axis=2), np.diff(values, axis=1)
    mixed = np.diff(right, axis=1)
    lag = values.shape[2] // 2
    columns = [
        *np.moveaxis(values.sum(axis=(1, 2)), 1, 0),
        _total(right) - _total(down),
        _total(mixed),
        *([_total(np.diff(mixed, axis=3))] if values.shape[3] > 1 else []),
        _total(values[:, :, lag:] - values[:, :, :-lag]),
        (images == limits.min).sum(axis=(1, 2, 3)),
        (images == limits.max).sum(axis=(1, 2, 3)),
    ]
    return np.stack(columns, axis=1)


def _total(differences: np.ndarray) -> np.ndarray:
    total: np.ndarray = np.abs(differences).sum(axis=(1, 2, 3))
    return total
