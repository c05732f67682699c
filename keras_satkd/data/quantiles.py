"""Percentiles of float samples that need not fit in memory, exact, by counting the samples' leading bits."""

import numpy as np

from firmware_export.common import on_disk

_HALF = 16
_SIGN = np.uint32(1 << 31)


def nearest_quantiles(images: np.ndarray, band: int, shares: tuple[float, float]) -> tuple[float, float]:
    """Samples at two quantiles of a band: those of `numpy.quantile(…, method="nearest")`.

    As whole numbers, the bits of float32 samples are in the order of the samples once those of negative ones are
    inverted. The first pass counts the upper 16 bits, the second, for each quantile, the lower ones.

    Args:
        images: finite float32 [N, H, W, C] with N, H, W ≥ 1, or `on_disk.Rows`.
        band: of the C.
        shares: in 0..1.
    """
    upper = _counts(images, band)
    low, high = (_at(images, band, upper, share) for share in shares)
    return low, high


def _at(images: np.ndarray, band: int, upper: np.ndarray, share: float) -> float:
    # Of two whole numbers at the same distance, both Python and NumPy round to the even one.
    place = round(share * (int(upper.sum()) - 1))
    first = int(np.searchsorted(np.cumsum(upper), place, side="right"))
    lower = _counts(images, band, first)
    second = int(np.searchsorted(np.cumsum(lower), place - int(upper[:first].sum()), side="right"))
    return _sample(first << _HALF | second)


def _counts(images: np.ndarray, band: int, upper: int | None = None) -> np.ndarray:
    """How often the upper 16 bits occur, int64 [65536]; with `upper`, the lower ones of the samples with these."""
    counts = np.zeros(1 << _HALF, np.int64)
    for piece in on_disk.pieces(images):
        bits = np.ascontiguousarray(piece[..., band]).ravel().view(np.uint32)
        keys = np.where(bits & _SIGN, ~bits, bits | _SIGN)
        leading = keys >> _HALF
        counted = leading if upper is None else keys[leading == upper] & ((1 << _HALF) - 1)
        counts += np.bincount(counted, minlength=len(counts))
    return counts


def _sample(key: int) -> float:
    bits = key ^ int(_SIGN) if key & int(_SIGN) else ~key & 0xFFFFFFFF
    return float(np.uint32(bits).view(np.float32))
