"""Residuals: in integers, of the predicted class, limited."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.drift import reference
from firmware_export.drift.reference import Reference, measure


def test_by_hand():
    given_ = Reference(np.array([1, 4]), np.array([[10, 0], [-3, 5]], np.int16), np.array([[3, 7], [1, 2]], np.int16))
    statistics, classes = np.array([[11, -15], [-3, 23], [9999, -9999], [8, 0]], np.int32), np.array([0, 1, 0, 0])
    found = given_.residuals(statistics, classes)
    assert found.dtype == np.int16
    # 16 / 3 and -3 * 16 / 7 towards zero; none; the limits; -2 * 16 / 3 and none.
    assert found.tolist() == [[5, -6], [0, 0], [64, -64], [-10, 0]]


def test_every_class_is_measured():
    statistics = np.array([[1, 100], [3, 100], [10, 200], [50, 300]], np.int32)
    found = measure(statistics, np.array([0, 0, 2, 1]), np.array([True, False, False]))
    assert found.means.tolist() == [[2, 100], [16, 175], [16, 175]]
    assert found.deviations.tolist() == [[1, 1], [20, 83], [20, 83]]
    assert found.divisors.tolist() == [1, 1]


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.integers(0, 2**20), st.integers(0, 2**32))
def test_large_statistics_fit(center, spread, seed):
    random = np.random.default_rng(seed)
    values = np.clip(center + random.integers(-spread, spread + 1, (50, 1)), -(2**31) + 1, 2**31 - 1).astype(np.int32)
    found = measure(values, np.zeros(50, int), np.array([True]))
    (divisor,) = found.divisors
    assert divisor & (divisor - 1) == 0
    assert abs(int(found.means[0, 0]) * int(divisor) - values.mean()) <= 1.5 * divisor
    residuals = found.residuals(values, np.zeros(50, int))
    assert np.abs(residuals).max() <= reference.LIMIT * reference.STEPS
