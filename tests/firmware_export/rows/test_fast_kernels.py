import numpy as np
import pytest
import row_models

from firmware_export.rows import fast_kernels
from firmware_export.rows.lower import lower


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # ResNet8's stem, its layers, a 1×1 shortcut, its dense layer; deep dense layers; a narrow row
        ((3, 3, 3, 16, 64), {"portable": 0, "dsp": 336, "mve": 92}),
        ((3, 3, 16, 16, 64), {"portable": 0, "dsp": 1152, "mve": 288}),
        ((3, 3, 32, 64, 16), {"portable": 0, "dsp": 2304, "mve": 576}),
        ((3, 3, 64, 64, 16), {"portable": 0, "dsp": 2560, "mve": 1152}),
        ((1, 1, 16, 32, 32), {"portable": 0, "dsp": 128, "mve": 32}),
        ((1, 1, 64, 10, 1), {"portable": 0, "dsp": 128, "mve": 0}),
        ((1, 1, 4000, 4, 1), {"portable": 0, "dsp": 2064, "mve": 0}),
        ((3, 3, 128, 8, 3), {"portable": 0, "dsp": 800, "mve": 2304}),
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


def test_fast_kernels_run_convolutions_with_small_sums_and_windows():
    def network(build, shape=(1, 12, 6, 4)):
        return lower(row_models.model(build, shape, quantization=(0.1, 7))).layers[0]

    layer = network(lambda b, x: b.convolution(x, 3, (3, 3), (1, 1), "SAME", "RELU"))
    assert fast_kernels.has_fast_kernel(layer)
    assert fast_kernels.fast_sums(layer) == 1
    layer.bias[0] = np.int32(1 << 30)
    assert fast_kernels.fast_sums(layer) == 2
    assert fast_kernels.has_fast_kernel(layer)
    assert not fast_kernels.has_fast_kernel(network(lambda b, x: b.convolution(x, 3, (13, 1), (1, 1), "SAME", "RELU")))
    assert not fast_kernels.has_fast_kernel(network(lambda b, x: b.mean(x)))


@pytest.mark.parametrize(
    ("shifts", "expected"),
    [([-1, -22], 2), ([-22, -22], 3), ([-1, -23], 1), ([-23, -23], 1), ([-31, -1], 1), ([-1, 0], 0), ([0, 0], 0)],
)
def test_right_shifts(shifts, expected):
    layer = lower(
        row_models.model(lambda b, x: b.convolution(x, 2, (1, 1), (1, 1), "SAME", "NONE"), (1, 4, 4, 4))
    ).layers[0]
    layer.multiplier[:] = 1 << 30
    layer.shift[:] = shifts
    assert fast_kernels.right_shifts(layer) == expected


def test_equal_right_shifts_need_equal_multipliers():
    layer = lower(
        row_models.model(lambda b, x: b.convolution(x, 2, (1, 1), (1, 1), "SAME", "NONE"), (1, 4, 4, 4))
    ).layers[0]
    layer.shift[:] = -9
    layer.multiplier[:] = [1 << 30, (1 << 30) + 1]
    assert fast_kernels.right_shifts(layer) == 2
