import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from firmware_export.common.errors import UserError
from firmware_export.upsets import sampling


def test_doctests():
    assert doctest.testmod(sampling).failed == 0


@given(st.integers(1, 5000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_intervals_are_those_of_scipy(counts):
    expected = binomtest(*counts).proportion_ci(sampling.CONFIDENCE, method="wilson")
    assert sampling.wilson(*counts) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.floats(0.005, 0.5), st.floats(0, 1))
def test_no_interval_reaches_farther_than_the_margin(margin, share):
    total = sampling.samples_for(margin)
    count = round(share * total)
    low, high = sampling.wilson(count, total)
    assert max(count / total - low, high - count / total) <= margin


@pytest.mark.parametrize("margin", [0, -0.1, 0.6, float("nan")])
def test_other_margins_are_refused(margin):
    with pytest.raises(UserError, match="--margin"):
        sampling.samples_for(margin)
