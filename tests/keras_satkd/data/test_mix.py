import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_satkd.config import MixingConfig
from keras_satkd.data import augment, mix

EVERY = {method: MixingConfig(method=method, share=1.0) for method in ("mixup", "cutmix", "both")}


def draws(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32)


def flat(value: int, size: int = 8) -> np.ndarray:
    return np.full((1, size, size, 3), value, np.uint8)


def test_mixup_blends_pixels_and_labels():
    # λ is the middle of the quantile 256 of 1024: 256.5 / 1024 = 0.25049.
    images, parts = mix.mix_images(flat(100), flat(200), draws((0, 0, 0.25, 0, 0)), EVERY["mixup"])
    assert parts.numpy() == pytest.approx([256.5 / 1024])
    assert np.unique(images).tolist() == [175]  # 0.25049 · 100 + 0.74951 · 200 = 174.95
    labels = mix.mix_labels(np.array([2]), np.array([0]), np.float32([0.25]), 4)
    assert labels.numpy().tolist() == [[0.75, 0, 0.25, 0]]


def test_an_image_mixed_with_its_own_class_keeps_its_label():
    labels = mix.mix_labels(np.array([1]), np.array([1]), np.float32([0.3]), 2)
    np.testing.assert_allclose(labels, [[0, 1]])


def test_cutmix_pastes_a_box_and_counts_its_area():
    # λ = 768.5 / 1024: half a side is the whole part of 0.5 · √0.2495 · 8 = 1.998. The centre is row 4, column 2.
    images, parts = mix.mix_images(flat(100), flat(200), draws((0, 0, 0.75, 0.5, 0.25)), EVERY["cutmix"])
    expected = flat(100)
    expected[0, 3:5, 1:3] = 200
    np.testing.assert_array_equal(images, expected)
    assert parts.numpy().tolist() == [1 - 4 / 64]


def test_a_box_ends_at_the_border_and_only_what_shows_of_it_counts():
    # λ = 0.5 / 1024: half a side is the whole part of 0.5 · √0.9995 · 8 = 3.999. The centre is row 7, column 0.
    images, parts = mix.mix_images(flat(0), flat(9), draws((0, 0, 0, 0.99, 0)), EVERY["cutmix"])
    expected = flat(0)
    expected[0, 4:, :3] = 9
    np.testing.assert_array_equal(images, expected)
    assert parts.numpy().tolist() == [1 - 12 / 64]


def test_either_method_has_half_of_the_share():
    images, others, numbers = np.repeat(flat(0), 3, 0), np.repeat(flat(200), 3, 0), draws(*[(0, 0, 0.5, 0.5, 0.5)] * 3)
    numbers[:, 0] = 0.29, 0.31, 0.61
    blended, pasted, kept = mix.mix_images(images, others, numbers, MixingConfig(method="both", share=0.6))[0].numpy()
    assert np.unique(blended).tolist() == [100]
    assert np.unique(pasted).tolist() == [0, 200]
    assert np.unique(kept).tolist() == [0]


mixes = {
    "method": st.sampled_from(["mixup", "cutmix", "both"]),
    "share": st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    "alpha": st.sampled_from([0.01, 0.2, 1.0, 100.0]),
}


@given(st.integers(0, 2**31), st.integers(1, 20), *mixes.values())
@settings(max_examples=40, deadline=None)
def test_labels_sum_to_one_and_parts_are_what_is_seen(seed, size, method, share, alpha):
    config = MixingConfig(method=method, share=share, alpha=alpha)
    numbers = mix.view_draws(50, 1, seed)[:, 0]
    black, white = np.zeros((50, size, size, 1), np.uint8), np.full((50, size, size, 1), 255, np.uint8)
    images, parts = (found.numpy() for found in mix.mix_images(black, white, numbers, config))
    assert images.dtype == np.uint8
    # For CutMix exactly the area; MixUp rounds to a 255th.
    np.testing.assert_allclose(1 - parts, images.mean(axis=(1, 2, 3)) / 255, atol=0.5 / 255 + 1e-6)
    is_pasted = (numbers[:, 0] < share) & ((method == "cutmix") | (numbers[:, 0] >= share / 2)) & (method != "mixup")
    np.testing.assert_allclose(1 - parts[is_pasted], images[is_pasted].mean(axis=(1, 2, 3)) / 255, atol=1e-6)
    assert (parts[numbers[:, 0] >= share] == 1).all()
    labels = mix.mix_labels(np.arange(50) % 3, np.arange(50) % 2, parts, 3).numpy()
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    assert labels.min() >= 0


@given(st.integers(0, 2**31), st.integers(1, 300))
@settings(max_examples=30, deadline=None)
def test_any_other_image_may_be_the_partner(seed, images):
    numbers = mix.view_draws(images, 1, seed)[:, 0]
    numbers[0, 1], numbers[-1, 1] = 0, np.nextafter(np.float32(1), np.float32(0))
    found = mix.partners(np.arange(images), numbers, images).numpy()
    assert found.min() >= 0
    assert found.max() < images
    assert images == 1 or (found != np.arange(images)).all()
    if images > 2:
        assert (found[0], found[-1]) == (1, images - 2)


def test_the_share_and_the_distribution_of_parts():
    numbers = mix.view_draws(4000, 1, 0)[:, 0]
    black, white = np.zeros((4000, 1, 1, 1), np.uint8), np.full((4000, 1, 1, 1), 255, np.uint8)
    for alpha in (0.2, 1.0, 5.0):
        _, parts = mix.mix_images(black, white, numbers, MixingConfig(method="mixup", share=0.4, alpha=alpha))
        mixed = parts.numpy()[parts.numpy() < 1]
        assert np.mean(numbers[:, 0] < 0.4) == pytest.approx(0.4, abs=0.03)
        assert mixed.mean() == pytest.approx(0.5, abs=0.03)
        assert mixed.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)  # of Beta(α, α)


def test_view_draws_follow_the_seed_and_differ_from_those_of_the_augmentation():
    np.testing.assert_array_equal(mix.view_draws(3, 5, 7)[:, :2], mix.view_draws(3, 2, 7))
    assert (mix.view_draws(3, 2, 7) != mix.view_draws(3, 2, 8)).any()
    assert (mix.view_draws(3, 2, 7) != augment.view_draws(3, 2, 7)).all()
