import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax
from scipy.stats import zscore

from keras_satkd.losses import Seen
from keras_satkd.losses.zscore import ZSCORE, standardized


@given(st.integers(0, 2**31), st.floats(0.5, 10), st.floats(0.1, 10))
@settings(max_examples=30, deadline=None)
def test_against_scipy(seed, temperature, spread):
    random = np.random.default_rng(seed)
    student, teachers = random.normal(0, spread, (4, 7)), random.normal(2, spread, (4, 3, 7))
    softened = [softmax(zscore(logits, axis=-1) / temperature, axis=-1) for logits in (student, teachers)]
    expected = temperature**2 * rel_entr(softened[1], softened[0][:, None]).sum(axis=2)
    seen = Seen(None, student.astype(np.float32), teachers.astype(np.float32), temperature)
    np.testing.assert_allclose(ZSCORE.compute(seen), expected, rtol=1e-3, atol=1e-4)


def test_shift_and_scale_of_the_logits_do_not_matter():
    student = np.array([[1.0, -2.0, 0.5]], np.float32)
    np.testing.assert_allclose(ZSCORE.compute(Seen(None, student, 40 * student[:, None] + 7, 2.0)), [[0.0]], atol=1e-5)


def test_equal_logits_have_a_finite_slope():
    logits = tf.Variable([[3.0, 3.0, 3.0]])
    with tf.GradientTape() as tape:
        found = tf.reduce_sum(standardized(logits))
    assert found.numpy() == 0
    assert np.isfinite(tape.gradient(found, logits)).all()
