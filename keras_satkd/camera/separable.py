"""Blur, shift and resampling as one matrix for the rows and one for the columns. Borders are reflected."""

import numpy as np


def apply(images: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Multiply each image's columns by the matrix `down` and its rows by the matrix `across`.

    Args:
        images: float32 [N, H, W, C].
        down: float32 [N or 1, C or 1, H', H].
        across: float32 [N or 1, C or 1, W', W].

    Returns:
        float32 [N, H', W', C].
    """
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    filtered = np.matmul(np.matmul(down, planes), across.swapaxes(-1, -2))
    return np.ascontiguousarray(filtered.transpose(0, 2, 3, 1))


def reflected(positions: np.ndarray, size: int) -> np.ndarray:
    """Map any integers to indices of `size` values that are mirrored at both ends; the end values are repeated."""
    folded = positions % (2 * size)
    return np.where(folded < size, folded, 2 * size - 1 - folded)


def matrices(taps: np.ndarray, positions: np.ndarray, size: int) -> np.ndarray:
    """Filters as dense matrices.

    Args:
        taps: float [M, O, K], the K weights of each of the O outputs of M filters.
        positions: int [M, O, K], the input of each weight; positions beyond the borders are reflected.
        size: number of inputs.

    Returns:
        float32 [M, O, size].
    """
    found = np.zeros((*taps.shape[:2], size), np.float32)
    inputs = reflected(positions, size)
    filters, outputs = np.ogrid[: taps.shape[0], : taps.shape[1]]
    for tap in range(taps.shape[2]):
        # `+=` would lose repeated entries, but one tap has no entry twice.
        found[filters, outputs, inputs[..., tap]] += taps[..., tap]
    return found


def gaussian(sigmas: np.ndarray, size: int) -> np.ndarray:
    """Matrices of a Gaussian blur, sampled at pixel centers and cut off at four standard deviations.

    Args:
        sigmas: float [M], standard deviations in pixels, ≥ 0.
        size: number of inputs and outputs.

    Returns:
        float32 [M, size, size]; each row sums to 1.
    """
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
    """Matrices of Keys' cubic interpolation (a = −0.5; IEEE Transactions on ASSP 29, 1981).

    Args:
        centres: float [M, O], position of each output on the axis of the inputs; input i is at i.
        size: number of inputs.
        width: ≥ 1, a number or [M]: factor that widens the kernel, which prevents aliasing when images shrink.

    Returns:
        float32 [M, O, size]; each row sums to 1.
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
