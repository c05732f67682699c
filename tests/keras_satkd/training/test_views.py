import numpy as np
import pytest
import tensorflow as tf

from keras_satkd.config import MixingConfig
from keras_satkd.data.view_numbers import values_at
from keras_satkd.training.views import Views


class Mean:
    """A teacher that gives the mean of each channel."""

    name = "mean"

    def logits(self, images):
        return tf.reduce_mean(tf.cast(images, tf.float32), axis=(1, 2))


@pytest.mark.parametrize("is_dihedral", [True, False])
def test_numbers_that_are_not_held_are_the_same(is_dihedral):
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), np.uint8)
    views, mixing = (8, None) if is_dihedral else (3, MixingConfig(method="mixup"))
    policy = "dihedral" if is_dihedral else "satellite"
    held, made = (
        Views.draw(images, policy, views, 5, None, mixing, is_dihedral=is_dihedral, are_numbers_held=are_held)
        for are_held in (True, False)
    )
    every = [each.ravel() for each in np.meshgrid(np.arange(7), np.arange(views))]
    for name in ("draws", "camera_seeds", *(() if mixing is None else ("mixing_draws",))):
        one, other = getattr(held, name), getattr(made, name)
        assert one.shape == other.shape
        np.testing.assert_array_equal(values_at(one, *every), values_at(other, *every))
    answers = [list(each.of(Mean(), 3)(slice(1, 7), views - 1)) for each in (held, made)]
    assert [len(part) for part in answers[0]] == [3, 3]
    np.testing.assert_array_equal(np.concatenate(answers[0]), np.concatenate(answers[1]))
