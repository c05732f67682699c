"""Feature maps of different sizes, made comparable."""

import numpy as np
import tensorflow as tf


def pooled(maps: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The means of a map over a coarser grid: float32 [B, h, w, K] → [B, height, width, K].

    Cell i of n covers rows `⌊i·h/n⌋` to `⌈(i+1)·h/n⌉ − 1`; cells of a grid that does not divide the map overlap. A map
    that is already smaller along an axis keeps its size there.
    """
    rows, columns = (
        _means(size, min(size, cells)) for size, cells in zip(maps.shape[1:3], (height, width), strict=True)
    )
    return tf.einsum("ih,bhwk,jw->bijk", rows, maps, columns)


def _means(size: int, cells: int) -> tf.Tensor:
    """float32 [cells, size]: row i takes the mean over cell i."""
    matrix = np.zeros((cells, size), np.float32)
    for cell in range(cells):
        first, end = cell * size // cells, -(-(cell + 1) * size // cells)
        matrix[cell, first:end] = 1 / (end - first)
    return tf.constant(matrix)
