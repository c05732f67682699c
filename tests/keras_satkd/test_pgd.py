"""PGD against a linear network of one pixel, worked out by hand, and its rules."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from keras_satkd import pgd
from keras_satkd.pgd import Attack

SEED = np.array([0, 0], np.int64)


def linear(images: tf.Tensor) -> tf.Tensor:
    """Logits (red − green, green − red) of one pixel: the gradient of CE by red is negative for class 0."""
    red, green = images[:, 0, 0, 0], images[:, 0, 0, 1]
    return tf.stack([red - green, green - red], axis=1) / 255.0


def pixel(red: float, green: float) -> np.ndarray:
    return np.array([[[[red, green]]]], np.uint8)


@pytest.mark.parametrize(
    ("red", "green", "label", "expected"),
    [
        # The attack lowers the channel of the class and raises the other, each by ε, whatever it begins with.
        (100, 90, 0, (96, 94)),
        (100, 90, 1, (104, 86)),
        # Pixels stay in 0..255.
        (2, 254, 1, (6, 250)),
        (2, 254, 0, (0, 255)),
    ],
)
def test_a_linear_network_by_hand(red, green, label, expected):
    labels = tf.one_hot([label], 2)
    found = pgd.perturbed(linear, pixel(red, green), labels, Attack(4.0, 10, 1.0), SEED)
    np.testing.assert_array_equal(found, np.reshape(np.array(expected, np.float32), (1, 1, 1, 2)))


def test_robust_accuracy_by_hand():
    """Red leads by 10, 7 and 9: ±4 closes a lead of 8, so the second is lost; the third one's label is wrong anyway."""
    images = np.concatenate([pixel(100, 90), pixel(100, 93), pixel(100, 91)])
    labels = np.array([0, 0, 1])
    assert pgd.robust_accuracy(linear, images, labels, Attack(4.0, 10, 1.0)) == pytest.approx(1 / 3)
    assert pgd.robust_accuracy(linear, images, labels, Attack(3.0, 10, 1.0)) == pytest.approx(2 / 3)


def test_the_first_images_are_random_and_a_single_small_step_keeps_them_near():
    labels = tf.one_hot([0] * 50, 2)
    images = np.repeat(pixel(100, 100), 50, axis=0)
    found = pgd.perturbed(linear, images, labels, Attack(4.0, 1, 1e-3), SEED).numpy() - 100
    assert -4 <= found.min() < -3
    assert 3 < found.max() <= 4
    again = pgd.perturbed(linear, images, labels, Attack(4.0, 1, 1e-3), SEED).numpy() - 100
    np.testing.assert_array_equal(found, again)
    other = pgd.perturbed(linear, images, labels, Attack(4.0, 1, 1e-3), SEED + 1).numpy() - 100
    assert (found != other).any()


@settings(max_examples=8, deadline=None)
@given(st.floats(0.5, 64, width=32), st.integers(1, 4), st.floats(0.125, 300, width=32))
def test_no_pixel_leaves_its_neighbourhood(epsilon, steps, step_size):
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    labels = tf.one_hot([0, 1], 3)
    found = pgd.perturbed(
        lambda given: tf.reduce_mean(given, axis=(1, 2)), images, labels, Attack(epsilon, steps, step_size), SEED
    ).numpy()
    assert np.abs(found - images).max() <= epsilon + 2e-5  # rounding near 255
    assert (found.min(), found.max()) >= (0, 0)
    assert found.max() <= 255


def test_the_step_size_follows_from_the_others():
    assert pgd.attack_of(8.0, 20) == Attack(8.0, 20, 1.0)
    assert pgd.attack_of(8.0, 20, 0.5).step_size == 0.5


@pytest.mark.parametrize("wrong", [(0.0, 5), (-1.0, 5), (256.0, 5), (8.0, 0), (8.0, 5, 0.0), (float("nan"), 5)])
def test_wrong_numbers(wrong):
    with pytest.raises(UserError, match=r"^PGD .*: give "):
        pgd.attack_of(*wrong)
