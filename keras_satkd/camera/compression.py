"""Lossy compression: JPEG, and JPEG 2000, whose wavelets are those of CCSDS 122."""

import io
from typing import Any

import numpy as np
from PIL import Image

from keras_satkd.camera.pixels import to_uint8


def jpeg(images: np.ndarray, quality: int | np.ndarray) -> np.ndarray:
    """Through a JPEG file and back (libjpeg's quality, colours at half resolution).

    Args:
        images: uint8 or float [N, H, W, C] in 0..255, C 1 or 3.
        quality: 1..95: a number or [N].

    Returns:
        uint8 [N, H, W, C].
    """
    qualities = np.broadcast_to(np.rint(quality).astype(int), len(images))
    return _each(images, [{"format": "JPEG", "quality": int(each)} for each in qualities])


def jpeg2000(images: np.ndarray, bits: float | np.ndarray) -> np.ndarray:
    """Through a JPEG 2000 codestream and back (irreversible 9/7 wavelet).

    Args:
        images: uint8 or float [N, H, W, C] in 0..255, C 1 or 3.
        bits: size of the codestream in bits per pixel and band, of 8 before, > 0: a number or [N].

    Returns:
        uint8 [N, H, W, C].
    """
    rates = 8 / np.broadcast_to(np.asarray(bits, np.float64), len(images))
    options = {"format": "JPEG2000", "irreversible": True, "no_jp2": True, "quality_mode": "rates"}
    return _each(images, [{**options, "quality_layers": [float(rate)]} for rate in rates])


def _each(images: np.ndarray, options: list[dict[str, Any]]) -> np.ndarray:
    pixels = to_uint8(images)
    decoded = np.empty_like(pixels)
    for at, settings in enumerate(options):
        stream = io.BytesIO()
        # Pillow takes a grey image without an axis for its one band.
        Image.fromarray(pixels[at].squeeze(-1) if pixels.shape[-1] == 1 else pixels[at]).save(stream, **settings)
        decoded[at] = np.asarray(Image.open(stream)).reshape(pixels.shape[1:])
    return decoded
