import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from keras_satkd.losses import Seen
from keras_satkd.losses.dist import DIST, relations


@given(st.integers(0, 2**31), st.floats(0.5, 10))
@settings(max_examples=30, deadline=None)
def test_against_numpy(seed, temperature):
    random = np.random.default_rng(seed)
    student, teachers = random.normal(0, 3, (5, 4)), random.normal(0, 3, (5, 2, 4))
    own, given = softmax(student / temperature, axis=-1), softmax(teachers / temperature, axis=-1)
    inter = [[1 - np.corrcoef(own[b], given[b, t])[0, 1] for t in range(2)] for b in range(5)]
    intra = [1 - np.mean([np.corrcoef(own[:, c], given[:, t, c])[0, 1] for c in range(4)]) for t in range(2)]
    expected = temperature**2 * (2 * np.array(inter) + 0.5 * np.array(intra))
    seen = Seen(None, student.astype(np.float32), teachers.astype(np.float32), temperature, (2.0, 0.5))
    np.testing.assert_allclose(DIST.compute(seen), expected, rtol=1e-3, atol=2e-3)


def test_a_batch_of_one_image_has_no_relations_between_images_and_a_finite_slope():
    student = tf.Variable([[1.0, 2.0, 3.0]])
    with tf.GradientTape() as tape:
        inter, intra = relations(np.array([[[3.0, 1.0, 0.0]]], np.float32), student, 1.0)
        found = tf.reduce_sum(inter) + tf.reduce_sum(intra)
    assert intra.numpy().item() == 1
    assert np.isfinite(tape.gradient(found, student)).all()
