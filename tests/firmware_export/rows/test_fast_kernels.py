import numpy as np
import pytest

from firmware_export.rows import fast_kernels


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # ResNet8's stem, its layers, a 1×1 shortcut
        ((3, 3, 3, 16), {"portable": 0, "dsp": 336, "mve": 92}),
        ((3, 3, 16, 16), {"portable": 0, "dsp": 1152, "mve": 288}),
        ((3, 3, 32, 64), {"portable": 0, "dsp": 2304, "mve": 576}),
        ((3, 3, 64, 64), {"portable": 0, "dsp": 2560, "mve": 1152}),
        ((1, 1, 16, 32), {"portable": 0, "dsp": 128, "mve": 32}),
    ],
)
def test_scratch_of_known_layers(layer, expected):
    assert fast_kernels.conv_scratch_bytes(*layer) == expected


def test_sums_are_fast_up_to_a_bound():
    weights = np.array([[[[1, -1]]], [[[0, 127]]]], np.int8)
    most = (1 << 30) - 1
    assert fast_kernels.fits_fast_sums(weights, np.array([most - 256, 0], np.int32))
    assert fast_kernels.fits_fast_sums(weights, np.array([0, 127 * 128 - most], np.int32))
    assert not fast_kernels.fits_fast_sums(weights, np.array([most - 255, 0], np.int32))
    assert not fast_kernels.fits_fast_sums(weights, np.array([0, -(1 << 31)], np.int32))
