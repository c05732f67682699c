import numpy as np
import pytest
import tensorflow as tf

from keras_satkd.camera.suite import HELD_OUT, KINDS
from keras_satkd.camera.training import BROAD, Mixture, Range

IMAGES = np.random.default_rng(0).integers(40, 200, (64, 16, 16, 3), np.uint8)
SEEDS = np.arange(64) + 1000


def changed(found: np.ndarray) -> float:
    return float(np.mean(np.any(found != IMAGES, axis=(1, 2, 3))))


def test_the_share_of_disturbed_images():
    always = {"gain": Range(1.0, 0.8, 0.8)}
    assert changed(Mixture(always, share=0.0)(IMAGES, SEEDS)) == 0
    assert changed(Mixture(always, share=0.5)(IMAGES, SEEDS)) == pytest.approx(0.5, abs=0.15)
    np.testing.assert_array_equal(Mixture(always, share=1.0)(IMAGES, SEEDS), np.rint(IMAGES * np.float32(0.8)))


def test_a_view_can_be_made_again_from_its_seed():
    mixture = Mixture(share=0.7)
    whole = mixture(IMAGES, SEEDS)
    np.testing.assert_array_equal(mixture(IMAGES[10:20], SEEDS[10:20]), whole[10:20])
    assert np.any(mixture(IMAGES, SEEDS + 64) != whole)


def test_a_pipeline_gives_the_same_images():
    mixture = Mixture(share=0.7)
    batches = tf.data.Dataset.from_tensor_slices((IMAGES, SEEDS)).batch(20).map(mixture.in_graph, 2)
    assert batches.element_spec.shape.as_list() == [None, 16, 16, 3]
    np.testing.assert_array_equal(np.concatenate(list(batches.as_numpy_iterator())), mixture(IMAGES, SEEDS))


def test_severities_lie_in_their_range():
    uniform = np.linspace(0, 1, 11)
    assert Range(1, 2, 4).draw(uniform)[[0, 5, 10]].tolist() == [2, 3, 4]
    np.testing.assert_allclose(Range(1, 1, 100, logarithmic=True).draw(uniform)[[0, 5, 10]], [1, 10, 100])


def test_bands_differ_by_no_more_than_the_spread():
    found = Mixture({"gain": Range(1.0, 1.0, 1.0, spread=0.2)}, share=1.0)(IMAGES, SEEDS)
    gains = found[:, :4].mean(axis=(1, 2)) / IMAGES[:, :4].mean(axis=(1, 2))
    assert 0.79 < gains.min() < 0.85
    assert 1.15 < gains.max() < 1.21
    assert np.all(np.ptp(gains, axis=1) > 0)


def test_every_trained_group_is_in_the_broad_mixture_and_no_other():
    assert {KINDS[name].group for name in BROAD} == {kind.group for kind in KINDS.values()} - set(HELD_OUT)


def test_held_out_groups_cannot_be_trained():
    with pytest.raises(ValueError, match="haze belongs to atmosphere"):
        Mixture({"haze": Range(1, 0.6, 1)})
