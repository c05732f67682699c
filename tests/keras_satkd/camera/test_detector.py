import numpy as np
import pytest

from keras_satkd.camera import detector

GREY = np.full((2, 16, 2000, 3), 100, np.uint8)
SEEDS = np.array([4, 9])


def test_stripes_have_the_deviation_and_fill_their_columns():
    found = detector.stripes(GREY, np.array([1, 5]), SEEDS)
    np.testing.assert_array_equal(found, np.repeat(found[:, :1], 16, axis=1))
    np.testing.assert_allclose(found[:, 0].std(axis=1), [[1] * 3, [5] * 3], rtol=0.08)
    assert found.mean() == pytest.approx(100, abs=0.3)


def test_bands_share_stripes_where_they_share_the_detector():
    own, shared = detector.stripes(GREY, 3, SEEDS), detector.stripes(GREY, 3, SEEDS, shared=True)
    assert np.abs(own[..., 0] - own[..., 1]).max() > 1
    np.testing.assert_array_equal(shared[..., 0], shared[..., 1])


def test_defective_pixels_are_black_or_white():
    found = detector.defective_pixels(GREY, np.array([0, 2]), SEEDS)
    np.testing.assert_array_equal(found[0], GREY[0])
    assert np.mean(found[1] == 0) == pytest.approx(0.01, rel=0.1)
    assert np.mean(found[1] == 255) == pytest.approx(0.01, rel=0.1)
    assert np.mean(found[1] == 100) == pytest.approx(0.98, rel=0.01)


def test_all_pixels_defective():
    assert set(np.unique(detector.defective_pixels(GREY, 100, SEEDS))) == {0, 255}


def test_dead_columns_are_black_in_all_bands():
    found = detector.dead_columns(GREY, np.array([1, 5]), SEEDS)
    dead = (found == 0).all(axis=(1, 3))
    assert dead.sum(axis=1).tolist() == [1, 5]
    np.testing.assert_array_equal(found.transpose(0, 2, 1, 3)[~dead], 100)


def test_a_fraction_of_a_dead_column_is_drawn():
    found = detector.dead_columns(np.full((400, 2, 16, 1), 100, np.uint8), 1.5, np.arange(400))
    dead = (found == 0).all(axis=(1, 3)).sum(axis=1)
    assert set(dead) == {1, 2}
    assert dead.mean() == pytest.approx(1.5, abs=0.1)


def test_more_dead_columns_hold_the_fewer():
    few, many = (detector.dead_columns(GREY, count, SEEDS) == 0 for count in (2, 5))
    assert many[few].all()
