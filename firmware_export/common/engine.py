"""The engines that an export writes files for."""

from enum import StrEnum


class Engine(StrEnum):
    """The engines to write files for: TensorFlow Lite Micro, the row engine, or both."""

    TFLM = "tflm"
    ROWS = "rows"
    BOTH = "both"

    @property
    def has_tflm(self) -> bool:
        """Whether files for TensorFlow Lite Micro are written."""
        return self is not Engine.ROWS

    @property
    def has_rows(self) -> bool:
        """Whether files for the row engine are written."""
        return self is not Engine.TFLM
