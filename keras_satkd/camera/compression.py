"""Lossy compression: JPEG and JPEG 2000, of which the wavelet is also that of CCSDS 122.

RGB is compressed as one image, any other bands each as a gray image.
"""

from typing import Any

import numpy as np

from keras_satkd.camera.pixels import to_uint8
from keras_satkd.data.corruptions import recoded


def jpeg(images: np.ndarray, quality: int | np.ndarray) -> np.ndarray:
    """Compress to JPEG and decompress (libjpeg; chroma at half resolution).

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        quality: libjpeg's quality, 1..95; a number or [N]. It is rounded.

    Returns:
        uint8 [N, H, W, C].
    """
    qualities = np.broadcast_to(np.rint(quality).astype(int), len(images))
    return _each(images, [{"format": "JPEG", "quality": int(each)} for each in qualities])


def jpeg2000(images: np.ndarray, bits: float | np.ndarray) -> np.ndarray:
    """Compress to a JPEG 2000 codestream and decompress (irreversible 9/7 wavelet).

    Args:
        images: uint8 or float [N, H, W, C] in 0..255.
        bits: size of the codestream in bits per pixel and band, > 0; a number or [N]. Uncompressed, it is 8.

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
        decoded[at] = recoded(pixels[at], **settings)
    return decoded
