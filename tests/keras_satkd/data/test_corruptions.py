import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_satkd.data.corruptions import CORRUPTIONS, SEVERITIES, accuracies

names = st.sampled_from(sorted(CORRUPTIONS))
severities = st.integers(1, 5)


def scenes(count: int, height: int = 32, width: int | None = None, seed: int = 0) -> np.ndarray:
    """Fields of 4x4 pixels in colors away from black and white, so that light changes saturate nothing."""
    shape = (count, -(-height // 4), -(-(width or height) // 4), 3)
    fields = np.random.default_rng(seed).integers(60, 190, shape, np.uint8)
    return fields.repeat(4, axis=1).repeat(4, axis=2)[:, :height, : width or height]


def distance(images: np.ndarray, others: np.ndarray) -> float:
    return float(np.abs(images.astype(float) - others).mean())


def test_every_corruption_has_its_five_severities():
    assert SEVERITIES.keys() == CORRUPTIONS.keys()
    assert all(len(strengths) == 5 for strengths in SEVERITIES.values())


@settings(max_examples=40, deadline=None)
@given(names, severities, st.integers(0, 3), st.integers(1, 40), st.integers(1, 40))
def test_shape_and_kind_are_kept_and_the_images_left_alone(name, severity, count, height, width):
    images = scenes(count, height, width)
    before = images.copy()
    disturbed = CORRUPTIONS[name](images, severity)
    assert (disturbed.shape, disturbed.dtype) == (images.shape, np.uint8)
    np.testing.assert_array_equal(images, before)


@settings(max_examples=20, deadline=None)
@given(names, severities, st.integers(1, 5))
def test_an_image_is_disturbed_the_same_whatever_follows_it(name, severity, count):
    images = scenes(6)
    all_of_them = CORRUPTIONS[name](images, severity)
    np.testing.assert_array_equal(CORRUPTIONS[name](images, severity), all_of_them)
    np.testing.assert_array_equal(CORRUPTIONS[name](images[:count], severity), all_of_them[:count])


@pytest.mark.parametrize("name", ["gaussian_noise", "motion_blur", "light"])
def test_every_image_is_disturbed_in_its_own_way(name):
    disturbed = CORRUPTIONS[name](scenes(1).repeat(3, axis=0), 3)
    assert all(distance(disturbed[first], disturbed[second]) > 0 for first, second in [(0, 1), (0, 2), (1, 2)])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_higher_severity_is_farther_from_the_original(name):
    images = scenes(12, 64)
    distances = [distance(CORRUPTIONS[name](images, severity), images) for severity in range(1, 6)]
    assert distances[0] > 0
    assert all(lower < higher for lower, higher in itertools.pairwise(distances))


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("severity", [0, 6, -1])
def test_severities_that_are_none(name, severity):
    with pytest.raises(ValueError, match=rf"severity {severity} of {name}: expected 1\.\.5"):
        CORRUPTIONS[name](scenes(1), severity)


def test_noise_has_the_deviation_it_says():
    grey = np.full((4, 64, 64, 3), 128, np.uint8)
    noise = CORRUPTIONS["gaussian_noise"](grey, 2) - 128.0
    assert noise.std() == pytest.approx(0.12 * 255, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.5)


@settings(max_examples=20, deadline=None)
@given(severities, st.integers(8, 80), st.integers(0, 5))
def test_blur_keeps_brightness(severity, height, seed):
    images = scenes(3, height, seed=seed)
    blurred = CORRUPTIONS["motion_blur"](images, severity)
    np.testing.assert_allclose(blurred.mean(axis=(1, 2)), images.mean(axis=(1, 2)), rtol=0.04)


@pytest.mark.parametrize(("height", "severity", "length"), [(64, 1, 3), (64, 5, 11), (128, 1, 6)])
def test_blur_smears_a_point_along_a_line_of_the_length_it_says(height, severity, length):
    point = np.zeros((8, height, height, 3), np.uint8)
    point[:, height // 2, height // 2] = 255
    for image in CORRUPTIONS["motion_blur"](point, severity)[..., 0]:
        spread = np.argwhere(image > 0)
        weights = image[image > 0]
        covariance = np.cov(spread.T, aweights=weights, ddof=0)
        along, across = np.linalg.eigvalsh(covariance)[::-1]
        # A line of length l has variance l² / 12; interpolation adds at most a quarter of a pixel squared.
        assert length**2 / 12 - 0.3 < along < length**2 / 12 + 0.5
        assert across < 0.5


def test_light_changes_gains_within_the_bounds_it_says():
    grey = np.full((50, 4, 4, 3), 100, np.uint8)
    gains = CORRUPTIONS["light"](grey, 3)[:, 0, 0] / 100
    assert gains.min() >= 0.85 * 0.925 - 0.005
    assert gains.max() <= 1.15 * 1.075 + 0.005
    assert gains.mean() == pytest.approx(1, abs=0.05)
    assert np.ptp(gains, axis=1).max() > 0.02


def test_accuracies_of_several_models_on_the_very_same_images():
    images, seen = scenes(4), {"one": [], "two": []}

    def model(name: str):
        def logits_of(disturbed: np.ndarray) -> np.ndarray:
            seen[name].append(disturbed)
            return np.eye(3)[[0, 0, 1, 2]]

        return logits_of

    found = accuracies({name: model(name) for name in seen}, images, np.array([0, 0, 0, 2]))
    assert found == {name: {kind: [0.75] * 5 for kind in CORRUPTIONS} for name in seen}
    expected = [CORRUPTIONS[kind](images, severity) for kind in CORRUPTIONS for severity in range(1, 6)]
    for name in seen:
        np.testing.assert_array_equal(seen[name], expected)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("bands", [1, 2, 4, 13])
def test_any_number_of_bands_is_disturbed(name, bands):
    images = np.random.default_rng(0).integers(40, 200, (2, 16, 16, bands), np.uint8)
    found = CORRUPTIONS[name](images, 3)
    assert (found.shape, found.dtype) == (images.shape, np.uint8)
    assert all((found[..., band] != images[..., band]).any() for band in range(bands))
