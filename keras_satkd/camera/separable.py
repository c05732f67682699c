"""Blur, shift and resampling as matrices for rows and columns; images are reflected at their borders."""

import numpy as np


def apply(images: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Filter the columns of each image with `down` and its rows with `across`.

    Args:
        images: float32 [N, H, W, C].
        down: float32 [N, 1 or C, H', H].
        across: float32 [N, 1 or C, W', W].

    Returns:
        float32 [N, H', W', C].
    """
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    filtered = np.matmul(np.matmul(down, planes), across.swapaxes(-1, -2))
    return np.ascontiguousarray(filtered.transpose(0, 2, 3, 1))


def reflected(positions: np.ndarray, size: int) -> np.ndarray:
    """Indices of any integers into `size` values that are mirrored at both ends, the end values repeated."""
    folded = positions % (2 * size)
    return np.where(folded < size, folded, 2 * size - 1 - folded)


def matrices(taps: np.ndarray, positions: np.ndarray, size: int) -> np.ndarray:
    """Filters as matrices.

    Args:
        taps: float [M, O, K], the K weights of each of O outputs.
        positions: int [M, O, K], the inputs that they belong to; beyond the borders inputs are reflected.
        size: number of inputs.

    Returns:
        float32 [M, O, size].
    """
    found = np.zeros((*taps.shape[:2], size), np.float32)
    inputs = reflected(positions, size)
    filters, outputs = np.ogrid[: taps.shape[0], : taps.shape[1]]
    for tap in range(taps.shape[2]):
        # Within one tap no entry is met twice, so that adding in place is safe.
        found[filters, outputs, inputs[..., tap]] += taps[..., tap]
    return found


def gaussian(sigmas: np.ndarray, size: int) -> np.ndarray:
    """Gaussian blur, sampled at pixel centres and cut at four standard deviations: [M] → float32 [M, size, size]."""
    sigmas = np.asarray(sigmas, np.float64)
    radii = np.floor(4 * sigmas + 0.5).astype(int)
    offsets = np.arange(-radii.max(initial=0), radii.max(initial=0) + 1)
    taps = np.exp(-0.5 * (offsets / np.maximum(sigmas, 1e-6)[:, None]) ** 2)
    taps *= np.abs(offsets) <= radii[:, None]
    taps /= taps.sum(axis=1, keepdims=True)
    shape = (len(sigmas), size, len(offsets))
    positions = np.arange(size)[:, None] + offsets
    return matrices(np.broadcast_to(taps[:, None], shape), np.broadcast_to(positions, shape), size)


def cubic(centres: np.ndarray, size: int, width: float | np.ndarray = 1.0) -> np.ndarray:
    """Interpolation by Keys' cubic convolution (a = −0.5; IEEE ASSP 29, 1981).

    Args:
        centres: float [M, O], where each output lies on the inputs' axis, whose pixel i has its centre at i.
        size: number of inputs.
        width: ≥ 1, a number or [M]: widens the kernel, which smooths before reduction.

    Returns:
        float32 [M, O, size].
    """
    widths = np.broadcast_to(np.asarray(width, np.float64), centres.shape[:1])[:, None, None]
    reach = int(np.ceil(2 * widths.max(initial=1.0)))
    positions = np.floor(centres).astype(int)[..., None] + np.arange(1 - reach, reach + 1)
    taps = _keys((positions - centres[..., None]) / widths)
    return matrices(taps / taps.sum(axis=-1, keepdims=True), positions, size)


def _keys(distance: np.ndarray) -> np.ndarray:
    x = np.abs(distance)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
