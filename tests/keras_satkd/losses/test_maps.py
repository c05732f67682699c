import numpy as np
import pytest

from keras_satkd.losses.maps import pooled


@pytest.mark.parametrize(("size", "cells"), [(6, 3), (5, 3), (4, 4), (2, 4)])
def test_cells_are_means(size, cells):
    maps = np.random.default_rng(0).random((2, size, 4, 3)).astype(np.float32)
    found = pooled(maps, cells, 2).numpy()
    cells = min(size, cells)
    assert found.shape == (2, cells, 2, 3)
    for row in range(cells):
        rows = maps[:, int(np.floor(row * size / cells)) : int(np.ceil((row + 1) * size / cells))]
        for column, columns in enumerate((slice(0, 2), slice(2, 4))):
            np.testing.assert_allclose(found[:, row, column], rows[:, :, columns].mean(axis=(1, 2)), rtol=1e-5)
