import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from keras_satkd.camera.suite import GROUPS, HELD_OUT, KINDS

names = st.sampled_from(sorted(KINDS))


def scenes(count: int, height: int = 32, width: int = 32) -> np.ndarray:
    noise = np.random.default_rng(0).normal(110, 120, (count, height, width, 3))
    return np.clip(gaussian_filter(noise, (0, 1.5, 1.5, 0)), 20, 200).astype(np.uint8)


def test_every_group_has_kinds_and_two_are_held_out():
    assert {kind.group for kind in KINDS.values()} == set(GROUPS)
    assert set(HELD_OUT) == {"geometry", "atmosphere"}


@settings(max_examples=60, deadline=None)
@given(names, st.integers(1, 5), st.integers(0, 4), st.data())
def test_an_image_is_disturbed_the_same_whatever_the_others_are(name, count, first, data):
    images = scenes(6)
    before = images.copy()
    severity = data.draw(st.sampled_from(KINDS[name].severities))
    whole = KINDS[name].apply(images, severity)
    assert (whole.shape, whole.dtype) == (images.shape, np.uint8)
    part = KINDS[name].apply(images[first : first + count], severity, first_seed=first)
    np.testing.assert_array_equal(part, whole[first : first + count])
    np.testing.assert_array_equal(images, before)


@settings(max_examples=30, deadline=None)
@given(names, st.integers(8, 40), st.integers(8, 40))
def test_images_of_any_size(name, height, width):
    assert KINDS[name].apply(scenes(2, height, width), KINDS[name].severities[0]).shape == (2, height, width, 3)


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"gain", "resampling"}))
def test_a_higher_severity_is_farther_from_the_original(name):
    images = scenes(24, 64, 64)
    distances = [
        np.abs(KINDS[name].apply(images, severity).astype(float) - images).mean() for severity in KINDS[name].severities
    ]
    assert distances[0] > 0
    assert all(lower < higher for lower, higher in itertools.pairwise(distances))


def test_offsets_of_both_signs():
    grey = np.full((30, 2, 2, 3), 100, np.uint8)
    assert set(np.unique(KINDS["offset"].apply(grey, 8))) == {92, 108}
