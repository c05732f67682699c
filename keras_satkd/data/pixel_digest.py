"""A digest of decoded images, by which a resumed run notices other pictures under the same names."""

import hashlib

import numpy as np

from firmware_export.common import on_disk

MOST_BYTES = 2 << 30
"""Bytes of images of which every one is read: a few seconds. It is the same on all machines, as the digest must be."""

SAMPLED = 10_000
"""Number of images that are read of a larger array."""


def of(images: np.ndarray) -> str:
    """SHA-256 of images in their order, 64 hexadecimal digits.

    All are read if they have at most `MOST_BYTES`, otherwise `SAMPLED` of them, evenly spaced: a change of one image in
    a thousand is then still noticed, a change of a few images may not be.

    Args:
        images: [N, H, W, C] of any type; may be a memory map or `on_disk.Rows`.
    """
    digest = hashlib.sha256()
    if images.nbytes <= MOST_BYTES or len(images) <= SAMPLED:
        for piece in on_disk.pieces(images):
            digest.update(np.ascontiguousarray(piece).data)
    else:
        for number in np.arange(SAMPLED) * len(images) // SAMPLED:
            digest.update(np.ascontiguousarray(images[number]).data)
    return digest.hexdigest()
