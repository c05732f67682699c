"""What may come of a flipped bit, and counts of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from firmware_export.upsets import sampling
from firmware_export.upsets.sampling import Interval


class Outcome(StrEnum):
    """What came of a flip for one image."""

    MASKED = "masked"
    """Every output is the same."""
    DIFFERS = "outputs differ"
    """Status OK; other outputs, the same largest one."""
    WRONG = "wrong class"
    """Status OK; another output is the largest, or of a model without classes, any other output: silent data corruption
    (SDC)."""
    REFUSED = "refused"
    """A status other than OK."""
    CRASH = "crash"
    """A processor exception, or a write outside the context."""
    HANG = "hang"
    """No answer in 20 times the usual time, or two times on the emulator."""


ORDER = tuple(Outcome)
"""As the programs that flip bits number them."""


@dataclass(frozen=True)
class Found:
    """What came of one injection."""

    outcome: Outcome
    by_scrub: bool
    """Whether the check of all constants after the image finds the flip."""


@dataclass(frozen=True)
class Tally:
    """Counts of outcomes."""

    counts: dict[Outcome, int]
    by_scrub: int

    @staticmethod
    def of(found: Iterable[Found]) -> "Tally":
        """Count injections."""
        every = list(found)
        counts = {outcome: sum(each.outcome is outcome for each in every) for outcome in ORDER}
        return Tally(counts, sum(each.by_scrub for each in every))

    @property
    def injections(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    def share(self, outcome: Outcome) -> float:
        """The share of an outcome, from 0 to 1."""
        return self.counts[outcome] / self.injections

    def interval(self, outcome: Outcome) -> Interval:
        """The 95 % Wilson interval of an outcome's probability."""
        return sampling.wilson(self.counts[outcome], self.injections)

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "injections": self.injections,
            "outcomes": {str(outcome): count for outcome, count in self.counts.items()},
            "found_by_scrub": self.by_scrub,
            "wrong_interval": list(self.interval(Outcome.WRONG)),
        }
