import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from keras_satkd.camera import optics


def images(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 20, 16, 3), np.uint8)


def test_point_spread_is_a_gaussian():
    found = optics.point_spread(images(), np.array([0.4, 0.8, 1.4]))
    for image, blurred, sigma in zip(images().astype(float), found, (0.4, 0.8, 1.4), strict=True):
        np.testing.assert_allclose(blurred, gaussian_filter(image, (sigma, sigma, 0), mode="reflect"), atol=1e-3)


def test_point_spread_of_each_band():
    found = optics.point_spread(images(), np.tile([0.0, 0.6, 1.2], (3, 1)))
    np.testing.assert_allclose(found[..., 0], images()[..., 0], atol=1e-4)
    alone = optics.point_spread(images(), 1.2)
    np.testing.assert_allclose(found[..., 2], alone[..., 2], atol=1e-4)


def test_a_point_of_light_spreads_to_the_kernel():
    point = np.zeros((1, 9, 9, 1), np.uint8)
    point[0, 4, 4] = 100
    found = optics.point_spread(point, 0.6)[0, 4, 3:6, 0]
    taps = np.exp(-0.5 * (np.arange(-2, 3) / 0.6) ** 2)
    taps /= taps.sum()
    np.testing.assert_allclose(found, 100 * taps[2] * taps[1:4], rtol=1e-5)


@pytest.mark.parametrize("length", [2, 5, 7])
def test_smear_of_a_point_is_a_line(length):
    points = np.zeros((6, 33, 33, 1), np.uint8)
    points[:, 16, 16] = 200
    seeds = np.arange(6)
    for image in optics.smear(points, length, seeds)[..., 0]:
        assert image.sum() == pytest.approx(200, rel=1e-4)
        spread = np.cov(np.argwhere(image > 0).T, aweights=image[image > 0], ddof=0)
        across, along = np.linalg.eigvalsh(spread)
        # A line of length l has variance l² / 12; interpolation adds at most a quarter of a pixel squared.
        assert length**2 / 12 - 0.3 < along < length**2 / 12 + 0.5
        assert across < 0.5


def test_every_image_is_smeared_in_a_direction_and_by_a_length_of_its_own():
    same = np.repeat(images(1), 3, axis=0)
    found = optics.smear(same, np.array([0, 3, 3]), np.array([5, 5, 6]))
    np.testing.assert_allclose(found[0], same[0], atol=1e-4)
    assert np.abs(found[1] - found[2]).max() > 1
