"""The arithmetic, against values computed by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.upsets.rates import Exposure, Mission, rates

MISSION = Mission(upsets_per_bit_day=1e-3, images_per_day=20, seconds_per_image=432)
CONSTANTS, ROWS = Exposure(1000, 0.5, is_always=True), Exposure(400, 0.25, is_always=False)


def test_constants():
    # 1 upset a day in 1000 bits stays for half a day, in which 10 images are taken, of which 5 are wrong.
    assert rates([CONSTANTS], MISSION).with_period(1) == pytest.approx(365.25 * 5)
    assert rates([CONSTANTS], MISSION).with_period(0.1) == pytest.approx(36.525 * 5)


def test_memory_of_an_image():
    # 0.4 upsets a day in 400 bits; images are in progress for a tenth of the day; a quarter of the flips matters.
    found = rates([ROWS], MISSION)
    assert found.images == found.with_period(100) == pytest.approx(365.25 * 0.4 * 0.1 * 0.25)


def test_the_period_for_a_bound():
    found = rates([CONSTANTS, ROWS], MISSION)
    # 100 − 3.6525 wrong answers a year are left for constants, which give 1826.25 for each day of the period.
    assert found.period_for(100) == pytest.approx((100 - 3.6525) / 1826.25)
    assert found.period_for(3.65) is None
    assert rates([ROWS], MISSION).period_for(4) == float("inf")
    assert found.without_scrubbing == pytest.approx(365.25 * 1826.25 + 3.6525)


probabilities = st.floats(0, 1)
exposures = st.lists(st.builds(Exposure, st.integers(1, 10**7), probabilities, st.booleans()), max_size=5)


@given(exposures, st.floats(1e-9, 1e6))
def test_the_period_keeps_the_bound(exposures, bound):
    found = rates(exposures, MISSION)
    days = found.period_for(bound)
    if days is None:
        assert found.with_period(0) >= bound
    elif days < float("inf"):
        assert found.with_period(days) == pytest.approx(bound)


@pytest.mark.parametrize(
    ("figures", "option"),
    [
        ((0, 1, 1), "--upsets-per-bit-day"),
        ((float("nan"), 1, 1), "--upsets-per-bit-day"),
        ((1, -1, 1), "--images-per-day"),
        ((1, 1, float("inf")), "--seconds-per-image"),
        ((1, 1, 1, 0), "--bound"),
        ((1, 1000, 87), "--images-per-day"),
    ],
)
def test_other_figures_are_refused(figures, option):
    with pytest.raises(UserError, match=option):
        Mission(*figures)
