import numpy as np
import pytest

from keras_satkd.camera import noise

SEEDS = np.arange(2)


def test_deviation_at_the_image_mean_is_mean_over_snr():
    grey = np.full((2, 64, 64, 3), 120, np.uint8)
    found = noise.photon_and_read(grey, 20, SEEDS) - 120
    # 120 / 20 = 6
    assert found.std() == pytest.approx(6, rel=0.02)
    assert found.mean() == pytest.approx(0, abs=0.1)


def test_variance_grows_linearly_with_the_signal():
    image = np.full((1, 128, 128, 1), 50, np.uint8)
    image[:, 64:] = 150
    found = noise.photon_and_read(image, 10, SEEDS[:1]) - image
    # mean 100, SNR 10: variance 100, half of it photon noise, so 0.5·L + 50
    assert found[:, :64].var() == pytest.approx(75, rel=0.05)
    assert found[:, 64:].var() == pytest.approx(125, rel=0.05)


def test_read_noise_alone_does_not_depend_on_the_signal():
    image = np.full((1, 128, 128, 1), 50, np.uint8)
    image[:, 64:] = 150
    found = noise.photon_and_read(image, 10, SEEDS[:1], photon_share=0.0) - image
    assert found[:, :64].var() == pytest.approx(100, rel=0.05)
    assert found[:, 64:].var() == pytest.approx(100, rel=0.05)


def test_every_image_and_band_with_its_own_ratio():
    grey = np.full((2, 64, 64, 3), 100, np.uint8)
    snr = np.array([[10, 20, 50], [100, 100, 5]])
    deviations = (noise.photon_and_read(grey, snr, SEEDS) - 100.0).std(axis=(1, 2))
    np.testing.assert_allclose(deviations, 100 / snr, rtol=0.05)


def test_pixels_below_black_do_not_swell_the_noise():
    dark = np.full((2, 64, 64, 3), -10, np.float32)
    dark[:, :8] = 30
    found = noise.photon_and_read(dark, 100, SEEDS) - dark
    mean = 30 / 8
    np.testing.assert_allclose(found[:, :8].std(), mean / 100 * np.sqrt(0.5 * 30 / mean + 0.5), rtol=0.05)


def test_a_black_image_stays_black():
    assert not noise.photon_and_read(np.zeros((2, 4, 4, 3), np.uint8), 10, SEEDS).any()
