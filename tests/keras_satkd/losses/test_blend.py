"""The whole loss against an independent computation in NumPy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from keras_satkd.losses import blend, divergence, ground_truth_loss


@given(st.integers(0, 2**31), st.floats(0.5, 20), st.floats(0.1, 10))
@settings(max_examples=40, deadline=None)
def test_against_numpy(seed, temperature, spread):
    random = np.random.default_rng(seed)
    student = random.normal(0, spread, (4, 7))
    teachers = random.normal(0, spread, (4, 3, 7))
    labels = np.eye(7)[random.integers(7, size=4)]
    weights, share = random.random((4, 3)), random.random(4)

    cross_entropy = -np.log(softmax(student, axis=1)[labels.astype(bool)])
    softened = softmax(student / temperature, axis=1)[:, None]
    expected_divergence = temperature**2 * rel_entr(softmax(teachers / temperature, axis=2), softened).sum(axis=2)
    expected = (1 - share) * cross_entropy + share * (weights * expected_divergence).sum(axis=1)

    single = [array.astype(np.float32) for array in (labels, student, teachers, weights, share)]
    truth = ground_truth_loss(single[0], single[1])
    distillation = divergence(single[2], single[1], temperature)
    np.testing.assert_allclose(truth, cross_entropy, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(distillation, expected_divergence, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(blend(truth, distillation, single[3], single[4]), expected, rtol=1e-3, atol=1e-3)
