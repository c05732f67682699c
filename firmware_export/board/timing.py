"""The time of an inference on a part: a range, estimated from counted instructions."""

import math
from collections.abc import Callable, Mapping

from firmware_export.board.cores import CORES


def milliseconds(core: str, clock_hz: int | None, counted: Mapping[str, int]) -> tuple[float, float] | None:
    """The least and the most time that instructions take at a clock, without wait states and cache misses.

    Args:
        core: of the part, one of `CORES`.
        clock_hz: of the part; None if unknown.
        counted: instructions by emulated core.

    Returns:
        Milliseconds: instructions times the core's cycles of an instruction (`cores.Cycles`), divided by the clock.
        None if the clock is unknown, or if the instructions of this core were not counted.
    """
    facts = CORES[core]
    instructions = counted.get(core, counted.get(facts.counted_as or ""))
    if clock_hz is None or facts.cycles is None or instructions is None:
        return None
    least, most = (1000 * instructions * cycles / clock_hz for cycles in (facts.cycles.least, facts.cycles.most))
    return least, most


def shown(time: tuple[float, float]) -> str:
    """A range of milliseconds with two significant digits, the least rounded down and the most up.

    >>> shown((61.9, 112.01)), shown((0.0312, 0.0999)), shown((2.0, 2.0))
    ('61 to 120', '0.031 to 0.1', '2 to 2')
    """
    return f"{_two_digits(time[0], math.floor)} to {_two_digits(time[1], math.ceil)}"


def _two_digits(value: float, to_whole: Callable[[float], int]) -> str:
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    # Rounded to six digits first: the quotient may be off in its last digits, and would then be rounded the wrong way.
    rounded = to_whole(round(value / unit, 6)) * unit
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:.3g}"
