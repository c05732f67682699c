from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.board import timing
from firmware_export.board.cores import CORES

COUNTED = {"cortex-m4": 60_000_000, "cortex-m55": 10_000_000}


@pytest.mark.parametrize(
    ("core", "mhz", "expected"),
    [
        ("cortex-m4", 100, (720, 1_080)),
        ("cortex-m7", 300, (140, 240)),
        ("cortex-m55", 800, (12.5, 25)),
        ("leon3", 100, None),
        ("cortex-m0plus", 133, None),
    ],
)
def test_time_is_instructions_times_cycles_by_the_clock(core, mhz, expected):
    found = timing.milliseconds(core, mhz * 1_000_000, COUNTED)
    assert found == (expected if expected is None else pytest.approx(expected))


def test_nothing_is_estimated_without_a_clock_or_a_count():
    assert timing.milliseconds("cortex-m4", None, COUNTED) is None
    assert timing.milliseconds("cortex-m55", 1, {"cortex-m4": 1}) is None


def test_a_count_on_the_core_itself_is_taken_first():
    assert timing.milliseconds("cortex-m7", 1_000_000, COUNTED | {"cortex-m7": 10}) == pytest.approx((0.007, 0.012))


@given(least=st.floats(1e-5, 1e6), ratio=st.floats(1, 100))
def test_what_is_shown_contains_the_range_and_is_near_it(least, ratio):
    low, high = (float(text.replace(",", "")) for text in timing.shown((least, least * ratio)).split(" to "))
    assert least * 0.9 <= low <= least * 1.0001
    assert least * ratio * 0.9999 <= high <= least * ratio * 1.11


def test_the_ranges_of_the_page_are_these():
    page = (Path(timing.__file__).parents[2] / "docs" / "board.md").read_text()
    for name, core in CORES.items():
        if core.cycles is not None:
            assert f"| {name} | {core.counted_as} | {core.cycles.least} to {core.cycles.most} |" in page
