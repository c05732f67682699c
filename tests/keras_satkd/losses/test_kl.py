import numpy as np
import pytest

from keras_satkd.losses.kl import divergence


def test_a_student_that_says_what_the_teacher_says_has_nothing_to_learn():
    logits = np.array([[1.0, -2.0, 0.5]], np.float32)
    np.testing.assert_allclose(divergence(logits[:, None], logits + 3, 5.0), [[0.0]], atol=1e-5)


def test_direction_is_teacher_from_student():
    # KL(P_T ‖ P_S) is large where the student denies what the teacher holds likely, not the other way round.
    teacher, student = np.array([[[4.0, 4.0, -4.0]]], np.float32), np.array([[4.0, -4.0, -4.0]], np.float32)
    forward = divergence(teacher, student, 1.0).numpy().item()
    backward = divergence(student[:, None], teacher[:, 0], 1.0).numpy().item()
    assert forward == pytest.approx(3.31, abs=0.01)
    assert backward == pytest.approx(0.69, abs=0.01)


def test_probabilities_that_underflow_cost_nothing_infinite():
    teacher, student = np.array([[[500.0, -500.0]]], np.float32), np.array([[500.0, -500.0]], np.float32)
    assert np.isfinite(divergence(teacher, student, 1.0)).all()
