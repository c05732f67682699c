import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from keras_satkd.losses.fixmatch import consistency


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1, width=32))
def test_it_is_numpys(seed, confidence):
    weak, strong = np.random.default_rng(seed).normal(0, 2, (2, 7, 4)).astype(np.float32)
    losses, is_sure = consistency(tf.constant(weak), tf.constant(strong), confidence)
    guesses = softmax(weak, axis=1)
    expected = guesses.max(axis=1) >= confidence
    certain = abs(guesses.max(axis=1) - confidence) > 1e-6  # rounding decides the others
    np.testing.assert_array_equal(is_sure.numpy()[certain], expected[certain])
    cross = -log_softmax(strong, axis=1)[np.arange(7), guesses.argmax(axis=1)]
    np.testing.assert_allclose(losses, is_sure.numpy() * cross, rtol=1e-5, atol=1e-6)


def test_only_the_strong_views_learn():
    weak, strong = tf.Variable([[5.0, 0.0]]), tf.Variable([[0.0, 1.0]])
    with tf.GradientTape() as tape:
        losses, _ = consistency(weak, strong, 0.9)
    of_weak, of_strong = tape.gradient(losses, [weak, strong])
    assert of_weak is None
    probability = softmax([0.0, 1.0])
    np.testing.assert_allclose(of_strong[0], probability - [1, 0], rtol=1e-5)
