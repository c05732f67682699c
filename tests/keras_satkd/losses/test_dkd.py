import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from keras_satkd.losses import Seen, divergence
from keras_satkd.losses.dkd import DKD, decoupled


def in_numpy(teacher: np.ndarray, student: np.ndarray, target: int, temperature: float) -> tuple[float, float]:
    """TCKD and NCKD of one image and one teacher, by removing the target class from the arrays."""
    probabilities = [softmax(logits / temperature) for logits in (teacher, student)]
    binary = [[p[target], np.delete(p, target).sum()] for p in probabilities]
    others = [softmax(np.delete(logits, target) / temperature) for logits in (teacher, student)]
    return temperature**2 * rel_entr(*binary).sum(), temperature**2 * rel_entr(*others).sum()


@given(st.integers(0, 2**31), st.floats(0.5, 10), st.floats(0.1, 5))
@settings(max_examples=30, deadline=None)
def test_against_numpy(seed, temperature, spread):
    random = np.random.default_rng(seed)
    student, teachers = random.normal(0, spread, (3, 6)), random.normal(0, spread, (3, 2, 6))
    targets = random.integers(6, size=3)
    seen = Seen(
        np.eye(6, dtype=np.float32)[targets],
        student.astype(np.float32),
        teachers.astype(np.float32),
        temperature,
        (0.5, 3.0),
    )
    expected = [
        [np.dot((0.5, 3.0), in_numpy(teacher, own, target, temperature)) for teacher in given]
        for given, own, target in zip(teachers, student, targets, strict=True)
    ]
    np.testing.assert_allclose(DKD.compute(seen), expected, rtol=1e-3, atol=1e-3)


def test_its_parts_make_up_the_divergence():
    random = np.random.default_rng(0)
    student, teachers = random.normal(size=(4, 5)).astype(np.float32), random.normal(size=(4, 2, 5)).astype(np.float32)
    labels = np.eye(5, dtype=np.float32)[[0, 1, 2, 3]]
    target, others = decoupled(teachers, student, labels, 2.0)
    others_share = 1 - (softmax(teachers / 2, axis=-1) * labels[:, None]).sum(axis=-1)
    np.testing.assert_allclose(target + others_share * others, divergence(teachers, student, 2.0), rtol=1e-4, atol=1e-6)


def test_target_of_a_mixed_label_is_its_largest_part():
    student, teachers = np.array([[1.0, 2.0, 3.0]], np.float32), np.array([[[3.0, 1.0, 0.0]]], np.float32)
    found = decoupled(teachers, student, np.array([[0.2, 0.7, 0.1]], np.float32), 1.0)
    for part, expected in zip(found, in_numpy(teachers[0, 0], student[0], 1, 1.0), strict=True):
        assert part.numpy().item() == pytest.approx(expected, rel=1e-4)


def test_sure_logits_have_finite_losses_and_slopes():
    student, teachers = tf.Variable([[400.0, -400.0, 0.0]]), np.array([[[-400.0, 400.0, 1.0]]], np.float32)
    with tf.GradientTape() as tape:
        parts = decoupled(teachers, student, np.array([[1.0, 0.0, 0.0]], np.float32), 1.0)
        found = tf.reduce_sum(tf.add_n(parts))
    assert np.isfinite(found)
    assert np.isfinite(tape.gradient(found, student)).all()
