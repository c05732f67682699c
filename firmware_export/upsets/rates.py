"""From the share of wrong answers per flip to wrong answers a year, and to the scrub period that keeps a bound.

Upsets arrive independently, at rate λ per bit and day.

- Memory that always holds its content (constants in flash or RAM): λ · bits flips a day. Each stays until the next
  scrub, half a scrub period T on average, in which N · T / 2 images are taken. Of these, a share p is wrong:
  wrong a year = 365.25 · λ · Σ(bits · p) · N · T / 2.
- Memory that matters only while an image is in progress (activations, counters, stack, registers): N images a day of t
  seconds each expose it for the share N · t / 86,400 of the time:
  wrong a year = 365.25 · λ · Σ(bits · p) · N · t / 86,400. Scrubbing does not change it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from firmware_export.common.errors import UserError

DAYS = 365.25
"""Of a year."""
SECONDS = 86_400
"""Of a day."""


@dataclass(frozen=True)
class Mission:
    """The user's figures."""

    upsets_per_bit_day: float
    images_per_day: float
    seconds_per_image: float
    bound: float | None = None
    """Wrong answers a year that are acceptable."""

    def __post_init__(self) -> None:
        """Check the figures.

        Raises:
            UserError: one is not positive, or the images of a day take longer than a day.
        """
        for option, value, example in (
            ("--upsets-per-bit-day", self.upsets_per_bit_day, "1e-7"),
            ("--images-per-day", self.images_per_day, "1000"),
            ("--seconds-per-image", self.seconds_per_image, "0.5"),
            ("--bound", 1.0 if self.bound is None else self.bound, "0.01"),
        ):
            if not 0 < value < float("inf"):
                raise UserError(f"{option} {value:g}, a positive number expected: give {example}, for example")
        if self.images_per_day * self.seconds_per_image > SECONDS:
            raise UserError(
                f"--images-per-day {self.images_per_day:g} of --seconds-per-image {self.seconds_per_image:g} take "
                f"longer than a day: give fewer images, or the time of one"
            )


@dataclass(frozen=True)
class Exposure:
    """Bits of a region, and the probability that a flip among them makes an image's class wrong."""

    bits: int
    wrong: float
    is_always: bool
    """Whether the region always holds its content; otherwise it matters only while an image is in progress."""


@dataclass(frozen=True)
class Rates:
    """Wrong answers a year of some regions."""

    constants_per_period_day: float
    """Wrong answers a year by flips of constants, for a scrub period of one day; proportional to the period."""
    images: float
    """Wrong answers a year by flips while an image is in progress."""

    def with_period(self, days: float) -> float:
        """Wrong answers a year with a scrub period in days."""
        return self.constants_per_period_day * days + self.images

    @property
    def without_scrubbing(self) -> float:
        """Wrong answers in the first year without any scrubbing: the period is that year."""
        return self.with_period(DAYS)

    def period_for(self, bound: float) -> float | None:
        """The longest scrub period in days that keeps wrong answers a year under a bound; None if no period does.

        Infinite if constants give no wrong answers.
        """
        if self.images >= bound:
            return None
        if self.constants_per_period_day == 0:
            return float("inf")
        return (bound - self.images) / self.constants_per_period_day


def rates(exposures: Sequence[Exposure], mission: Mission) -> Rates:
    """Wrong answers a year; the formulas are the module's."""
    always = sum(exposure.bits * exposure.wrong for exposure in exposures if exposure.is_always)
    while_busy = sum(exposure.bits * exposure.wrong for exposure in exposures if not exposure.is_always)
    upsets_a_year = DAYS * mission.upsets_per_bit_day
    return Rates(
        constants_per_period_day=upsets_a_year * always * mission.images_per_day / 2,
        images=upsets_a_year * while_busy * mission.images_per_day * mission.seconds_per_image / SECONDS,
    )
