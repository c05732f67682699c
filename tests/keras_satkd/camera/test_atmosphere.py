import numpy as np
import pytest

from keras_satkd.camera import atmosphere


def test_haze_draws_towards_a_bright_constant():
    images = np.array([0, 100, 255], np.uint8).reshape(1, 1, 3, 1)
    # 0.8·x + 0.2·230
    np.testing.assert_allclose(atmosphere.haze(images, 0.8).ravel(), [46, 126, 250], rtol=1e-6)
    np.testing.assert_allclose(atmosphere.haze(images, 1.0), images, rtol=1e-6)


def test_cloud_covers_about_half_and_is_as_thick_as_it_says():
    black = np.zeros((3, 64, 64, 3), np.uint8)
    found = atmosphere.thin_cloud(black, np.array([0.0, 0.3, 0.6]), np.arange(3))
    assert not found[0].any()
    np.testing.assert_allclose(found.max(axis=(1, 2, 3)), [0, 0.3 * 230, 0.6 * 230], rtol=1e-4)
    assert np.mean(found[1:] > 0) == pytest.approx(0.5, abs=0.02)
    np.testing.assert_array_equal(found[..., 0], found[..., 2])


def test_cloud_is_smooth():
    found = atmosphere.thin_cloud(np.zeros((1, 64, 64, 1), np.uint8), 0.6, np.array([1]))
    assert np.abs(np.diff(found, axis=1)).max() < 15
