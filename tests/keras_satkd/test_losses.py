"""The loss against an independent computation in NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from keras_satkd.losses import balanced_weights, blend, distillation_losses, ground_truth_loss


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
    divergence = temperature**2 * rel_entr(softmax(teachers / temperature, axis=2), softened).sum(axis=2)
    expected = (1 - share) * cross_entropy + share * (weights * divergence).sum(axis=1)

    single = [array.astype(np.float32) for array in (labels, student, teachers, weights, share)]
    truth = ground_truth_loss(single[0], single[1])
    distillation = distillation_losses(single[2], single[1], temperature)
    np.testing.assert_allclose(truth, cross_entropy, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(distillation, divergence, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(blend(truth, distillation, single[3], single[4]), expected, rtol=1e-3, atol=1e-3)


def test_a_student_that_says_what_the_teacher_says_has_nothing_to_learn():
    logits = np.array([[1.0, -2.0, 0.5]], np.float32)
    np.testing.assert_allclose(distillation_losses(logits[:, None], logits + 3, 5.0), [[0.0]], atol=1e-5)


def test_direction_is_teacher_from_student():
    # KL(P_T ‖ P_S) is large where the student denies what the teacher holds likely, not the other way round.
    teacher, student = np.array([[[4.0, 4.0, -4.0]]], np.float32), np.array([[4.0, -4.0, -4.0]], np.float32)
    forward = distillation_losses(teacher, student, 1.0).numpy().item()
    backward = distillation_losses(student[:, None], teacher[:, 0], 1.0).numpy().item()
    assert forward == pytest.approx(3.31, abs=0.01)
    assert backward == pytest.approx(0.69, abs=0.01)


def test_probabilities_that_underflow_cost_nothing_infinite():
    teacher, student = np.array([[[500.0, -500.0]]], np.float32), np.array([[500.0, -500.0]], np.float32)
    assert np.isfinite(distillation_losses(teacher, student, 1.0)).all()


def test_mixed_labels():
    logits = np.array([[2.0, 0.0]], np.float32)
    mixed = ground_truth_loss(np.array([[0.3, 0.7]], np.float32), logits)
    pure = [ground_truth_loss(np.array([row], np.float32), logits).numpy().item() for row in ([1.0, 0.0], [0.0, 1.0])]
    np.testing.assert_allclose(mixed, [0.3 * pure[0] + 0.7 * pure[1]], rtol=1e-5)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_balanced_weights_make_all_classes_count_alike(drawn):
    labels = np.array(drawn)
    weights = np.array(balanced_weights(labels, 5))
    present = np.unique(labels)
    sums = [weights[label] * (labels == label).sum() for label in present]
    np.testing.assert_allclose(sums, len(labels) / 5)
    assert (weights[np.setdiff1d(np.arange(5), present)] == 0).all()
    if len(present) == 5:
        assert weights[labels].mean() == pytest.approx(1)


def test_class_weights_of_mixed_labels():
    logits, labels = np.zeros((1, 2), np.float32), np.array([[0.25, 0.75]], np.float32)
    found = ground_truth_loss(labels, logits, (2.0, 4.0))
    np.testing.assert_allclose(found, [(0.25 * 2 + 0.75 * 4) * np.log(2)], rtol=1e-6)
