import numpy as np
from scipy.ndimage import gaussian_filter

from keras_satkd.camera import geometry


def scenes(bands: int = 3) -> np.ndarray:
    noise = np.random.default_rng(0).normal(128, 200, (2, 40, 48, bands))
    return np.clip(gaussian_filter(noise, (0, 2, 2, 0)), 0, 255)


def test_shift_by_whole_pixels():
    found = geometry.shift(scenes(), np.tile([2, 0, -1], (2, 1)), np.tile([0, 3, 1], (2, 1)))
    images = scenes()
    np.testing.assert_allclose(found[:, 2:, :, 0], images[:, :-2, :, 0], atol=1e-3)
    np.testing.assert_allclose(found[:, :, 3:, 1], images[:, :, :-3, 1], atol=1e-3)
    np.testing.assert_allclose(found[:, :-1, 1:, 2], images[:, 1:, :-1, 2], atol=1e-3)


def test_a_shift_there_and_back_by_half_a_pixel():
    half = np.full((2, 3), 0.5)
    found = geometry.shift(geometry.shift(scenes(), half, half), -half, -half)
    assert np.abs(found - scenes())[:, 4:-4, 4:-4].mean() < 0.5


def test_the_middle_band_stays_and_others_move_by_the_length():
    point = np.zeros((5, 33, 33, 3))
    point[:, 16, 16] = 100
    found = geometry.misregistration(point, 1.5, np.arange(5))
    np.testing.assert_allclose(found[..., 1], point[..., 1], atol=1e-4)
    axis = np.arange(33) - 16
    for band in (0, 2):
        centres = [
            (np.sum(image.sum(axis=1) * axis) / image.sum(), np.sum(image.sum(axis=0) * axis) / image.sum())
            for image in found[..., band]
        ]
        np.testing.assert_allclose(np.hypot(*np.transpose(centres)), 1.5, rtol=0.02)
        assert len({round(down, 3) for down, _ in centres}) == 5


def test_resampling_loses_detail_only_when_it_reduces():
    losses = [np.abs(geometry.resample(scenes(), factor) - scenes()).mean() for factor in (0.5, 0.8, 1.25)]
    assert losses[0] > losses[1] > losses[2] > 0
    np.testing.assert_allclose(geometry.resample(scenes(), 1.0), scenes(), atol=1e-3)


def test_resampling_keeps_brightness():
    np.testing.assert_allclose(geometry.resample(np.full((1, 30, 20, 1), 77.0), 0.8), 77, rtol=1e-5)
