"""How far the row engine checks what it works with."""

from enum import StrEnum


class Harden(StrEnum):
    """The levels of `--harden`; each contains those before it.

    `NONE` is written as `CONTROL` is: without its checks an image would take 0.4 % fewer instructions.
    """

    NONE = "none"
    CONTROL = "control"
    """Counters, layers and schedule are checked: nothing outside the context is written, whatever bit flips."""
    DETECT = "detect"
    """Weights, tables and rows are checked, too: an image with a flipped bit has an error status."""
    CORRECT = "correct"
    """A flipped bit of the constants is found and repaired, and an image in memory is computed again."""

    @property
    def has_data_checks(self) -> bool:
        """Whether weights, tables and rows have checks."""
        return self in (Harden.DETECT, Harden.CORRECT)
