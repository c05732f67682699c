import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_satkd.data import augment


def random_images(seed: int, images: int = 4, size: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (images, size, size, 3), np.uint8)


def test_turn_makes_the_eight_orientations():
    image = random_images(0, 1)[0]
    made = augment.turn(np.stack([image] * 8), np.arange(8)).numpy()
    expected = [np.rot90(side, turns) for side in (image, image[:, ::-1]) for turns in range(4)]
    assert {view.tobytes() for view in made} == {np.ascontiguousarray(view).tobytes() for view in expected}


@given(st.integers(0, 2**31), st.integers(-15, 15), st.integers(-15, 15))
@settings(max_examples=30, deadline=None)
def test_shift_is_numpys_reflected_padding(seed, down, right):
    image = random_images(seed, 1)
    padded = np.pad(image[0], ((15, 15), (15, 15), (0, 0)), mode="reflect")
    expected = padded[15 - down : 31 - down, 15 - right : 31 - right]
    made = augment.shift(image, np.array([down]), np.array([right]))
    np.testing.assert_array_equal(made[0], expected)


def test_relight_that_changes_nothing():
    images = random_images(1)
    np.testing.assert_array_equal(augment.relight(images, np.ones(4, np.float32), np.ones(4, np.float32)), images)


def test_relight_saturates_and_takes_color_away():
    image = np.full((1, 2, 2, 3), (200, 100, 30), np.uint8)
    grey = augment.relight(image, np.ones(1, np.float32), np.zeros(1, np.float32)).numpy()
    assert np.unique(grey).tolist() == [110]
    bright = augment.relight(image, np.full(1, 2.0, np.float32), np.ones(1, np.float32)).numpy()
    assert bright[0, 0, 0].tolist() == [255, 200, 60]


@pytest.mark.parametrize("policy", augment.REPEATABLE)
def test_the_same_draws_make_the_same_view(policy):
    images, draws = random_images(2), augment.view_draws(4, 1, seed=3)[:, 0]
    first, second = (np.asarray(augment.augment(images, draws, policy)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    assert (first == images).all() == (policy == "none")


def test_view_draws_follow_the_seed():
    np.testing.assert_array_equal(augment.view_draws(3, 2, 7), augment.view_draws(3, 2, 7))
    assert (augment.view_draws(3, 2, 7) != augment.view_draws(3, 2, 8)).any()
    np.testing.assert_array_equal(augment.view_draws(3, 5, 7)[:, :2], augment.view_draws(3, 2, 7))


def test_sensor_noise_is_of_a_strength_of_its_own_for_every_image():
    grey = np.full((500, 16, 16, 3), 128, np.uint8)
    noisy = augment.sensor_noise(grey, largest=0.1, seed=0).numpy()
    deviations = (noisy - 128).std(axis=(1, 2, 3)) / 255
    assert deviations.min() < 0.005
    assert 0.095 < deviations.max() < 0.11
    assert deviations.mean() == pytest.approx(0.05, abs=0.005)
    assert noisy.mean() == pytest.approx(128, abs=0.5)


def test_sensor_noise_stays_in_range():
    noisy = augment.sensor_noise(random_images(0), largest=1.0, seed=0).numpy()
    assert noisy.min() == 0
    assert noisy.max() == 255


def test_sensor_noise_follows_the_seed():
    images = random_images(0)
    one, again, other = (augment.sensor_noise(images, largest=0.2, seed=seed).numpy() for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


@pytest.mark.slow
def test_randaugment_keeps_shape_and_type():
    images = random_images(5)
    made = augment.randaugment(seed=1)(images).numpy()
    assert made.dtype == np.uint8
    assert made.shape == images.shape
    assert (made != images).any()
