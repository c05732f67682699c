import numpy as np
import pytest
import tensorflow as tf

from keras_satkd.data import augment
from keras_satkd.data.strong import CUT, GREY, cut, strong

IMAGES, SIZE = 200, 16


def draws(**fixed: float) -> np.ndarray:
    found = np.random.default_rng(0).random((IMAGES, augment.DRAWS), np.float32)
    for name, value in fixed.items():
        found[:, ("orientation", "down", "right", "brightness", "saturation").index(name)] = value
    return found


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (IMAGES, SIZE, SIZE, 3), np.uint8)


def test_the_same_numbers_make_the_same_views_and_others_others(images):
    one, two = (strong(tf.constant(images), tf.constant(draws())).numpy() for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.dtype == np.uint8
    assert len(np.unique(strong(tf.constant(images[:1].repeat(IMAGES, 0)), draws()).numpy(), axis=0)) == IMAGES


def test_the_name_finds_it(images):
    given = tf.constant(images), tf.constant(draws())
    np.testing.assert_array_equal(augment.augment(*given, "strong"), strong(*given))


@pytest.mark.parametrize(
    ("top", "left", "rows", "columns"), [(0.5, 0.5, (4, 12), (4, 12)), (0.0, 0.75, (0, 4), (8, 16))]
)
def test_the_square_is_where_the_numbers_say(images, top, left, rows, columns):
    expected = images[:1].copy()
    expected[0, slice(*rows), slice(*columns)] = GREY
    np.testing.assert_array_equal(cut(images[:1], tf.constant([top]), tf.constant([left])), expected)
    assert CUT * SIZE == 8


def test_middle_numbers_change_no_light():
    """Of a uniform image, whose contrast is none, only the square shows."""
    given = np.full((IMAGES, SIZE, SIZE, 3), 200, np.uint8)
    views = strong(tf.constant(given), tf.constant(draws(brightness=0.5, saturation=0.5))).numpy()
    assert set(np.unique(views)) == {GREY, 200}
    shares = (views == GREY).mean(axis=(1, 2, 3))
    assert 0.06 < shares.min() < shares.max() <= CUT**2  # a quarter of the square at least is within the image


def test_the_place_of_the_square_does_not_follow_the_shift():
    given = np.full((IMAGES, SIZE, SIZE, 3), 200, np.uint8)
    numbers = draws(brightness=0.5, saturation=0.5)
    is_cut = (strong(tf.constant(given), tf.constant(numbers)).numpy() == GREY)[..., 0]
    middle = (is_cut.any(axis=2) * np.arange(SIZE)).sum(axis=1) / is_cut.any(axis=2).sum(axis=1)
    assert abs(np.corrcoef(middle, numbers[:, 1])[0, 1]) < 0.15
