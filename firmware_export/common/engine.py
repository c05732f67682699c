"""The engines that an export writes files for."""

from enum import StrEnum


class Engine(StrEnum):
    """Whose files an export writes: TensorFlow Lite Micro's, the row engine's, or both."""

    TFLM = "tflm"
    ROWS = "rows"
    BOTH = "both"

    @property
    def has_tflm(self) -> bool:
        """Whether TensorFlow Lite Micro's files are among them."""
        return self is not Engine.ROWS

    @property
    def has_rows(self) -> bool:
        """Whether the row engine's files are among them."""
        return self is not Engine.TFLM
