import numpy as np
import pytest

from keras_satkd.camera import radiometry

RAMP = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


def test_gain_and_offset():
    images = np.full((2, 2, 2, 3), 100, np.uint8)
    np.testing.assert_allclose(radiometry.gain(images, np.array([0.8, 1.2]))[:, 0, 0, 0], [80, 120])
    np.testing.assert_allclose(radiometry.offset(images, np.tile([-16, 0, 8], (2, 1)))[1, 1, 1], [84, 100, 108])


def test_band_gains_are_up_or_down_by_the_percentage():
    images = np.full((40, 2, 2, 3), 100, np.uint8)
    found = radiometry.band_gain(images, 10, np.arange(40))[:, 0, 0]
    np.testing.assert_allclose(np.unique(found.round(3)), [90, 110])
    assert np.mean(found > 100) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(("bits", "levels"), [(1, [0, 255]), (2, [0, 85, 170, 255])])
def test_few_bits(bits, levels):
    assert np.unique(radiometry.quantize(RAMP, bits)).tolist() == levels


def test_eight_bits_change_nothing():
    np.testing.assert_allclose(radiometry.quantize(RAMP, 8), RAMP, atol=1e-4)


def test_quantization_error_is_at_most_half_a_step():
    assert np.abs(radiometry.quantize(RAMP, 4) - RAMP).max() <= 255 / 15 / 2 + 1e-4
