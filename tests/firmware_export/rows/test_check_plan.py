"""A plan that would lose a row is found out; a sound one passes."""

from dataclasses import replace

import pytest
import row_models
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.rows.check_plan import check
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import plan


def _planned():
    def build(builder, x):
        for _ in range(2):
            x = builder.convolution(x, 4, (3, 3), (1, 1), "SAME", "RELU")
        return builder.mean(x)

    return plan(lower(row_models.model(build, (1, 12, 12, 4))))


def test_a_sound_plan_passes():
    check(_planned())


@given(data=st.data())
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
def test_the_check_finds_a_row_too_few_and_a_step_too_early(data):
    planned = _planned()
    ring = data.draw(st.sampled_from([i for i, found in enumerate(planned.rings) if found.depth > 1]))
    rings = [replace(r, depth=r.depth - (i == ring)) for i, r in enumerate(planned.rings)]
    with pytest.raises(RuntimeError, match="reads row"):
        check(replace(planned, rings=tuple(rings)))
    first = planned.schedule.index(data.draw(st.integers(1, 3)))
    early = (*planned.schedule[: first - 1], planned.schedule[first], planned.schedule[first - 1])
    with pytest.raises(RuntimeError, match="reads row"):
        check(replace(planned, schedule=early))


def test_a_schedule_that_ends_early_is_found():
    planned = _planned()
    with pytest.raises(RuntimeError, match=r"the caller reads row 0 of .* and finds None"):
        check(replace(planned, schedule=planned.schedule[:-1]))


def test_a_step_too_many_is_found():
    planned = _planned()
    with pytest.raises(RuntimeError, match="the schedule has"):
        check(replace(planned, schedule=(*planned.schedule, 0)))
