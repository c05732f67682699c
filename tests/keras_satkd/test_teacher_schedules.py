import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from keras_satkd.teacher_schedules import factors, growing, heard, together, weak_to_strong
from keras_satkd.weighting import Weights

ACCURACIES = (0.9, 0.5, 0.7)


def test_weak_to_strong():
    expected = [[0, 1, 0]] * 2 + [[0, 0, 1]] * 2 + [[1, 0, 0]] * 2
    np.testing.assert_array_equal(weak_to_strong(6, ACCURACIES), expected)
    np.testing.assert_array_equal(weak_to_strong(1, ACCURACIES), [[1, 0, 0]])


def test_growing():
    expected = [[0, 1, 0]] * 2 + [[0, 1, 1]] * 2 + [[1, 1, 1]] * 2
    np.testing.assert_array_equal(growing(6, ACCURACIES), expected)


@given(st.integers(0, 40), st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=1, max_size=4))
def test_each_teacher_has_an_equal_part_and_the_strongest_is_heard_last(epochs, accuracies):
    one = weak_to_strong(epochs, accuracies)
    np.testing.assert_array_equal(one.sum(axis=1), np.ones(epochs))
    assert np.ptp(one.sum(axis=0)) <= 1
    order = [accuracies[teacher] for teacher in one.argmax(axis=1)] if epochs else []
    assert order == sorted(order)
    if epochs:
        assert order[-1] == max(accuracies)
        np.testing.assert_array_equal(growing(epochs, accuracies)[-1], np.ones(len(accuracies)))


def test_factors():
    assert factors("all", 3, ACCURACIES) is None
    assert factors("weak-to-strong", 3, (0.5,)) is None
    np.testing.assert_array_equal(factors("growing", 6, ACCURACIES), growing(6, ACCURACIES))
    np.testing.assert_array_equal(factors(lambda epochs, _: [[0.5, 2]] * epochs, 2, (0.1, 0.2)), [[0.5, 2]] * 2)
    np.testing.assert_array_equal(together(2, (0.1,)), [[1], [1]])


@pytest.mark.parametrize("found", [[[1.0]], [[1.0, -1.0]] * 2, [[1.0, np.nan]] * 2])
def test_wrong_factors(found):
    with pytest.raises(UserError, match=r"give \(2, 2\), \(epochs, teachers\), of numbers from 0"):
        factors(lambda epochs, accuracies: found, 2, (0.1, 0.2))


def test_wrong_schedules():
    with pytest.raises(UserError, match="unknown teacher schedule 'growin': did you mean 'growing'"):
        factors("growin", 2, (0.1, 0.2))
    with pytest.raises(UserError, match="is a float: give a function"):
        factors(3.0, 2, (0.1, 0.2))


def test_weights_of_those_who_are_heard():
    weights = Weights(np.array([[0.25, 0.75], [1.0, 0.0]], np.float32), np.array([0.5, 0.5], np.float32))
    found = heard(weights, np.array([0.0, 1.0], np.float32))
    np.testing.assert_allclose(found.teachers, [[0, 1], [0, 0]])
    np.testing.assert_allclose(found.share, [0.5, 0])
    found = heard(weights, np.array([3.0, 1.0], np.float32))
    np.testing.assert_allclose(found.teachers, [[0.5, 0.5], [1, 0]])
