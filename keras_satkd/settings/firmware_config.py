"""Settings of the exported C code. `config` has the others."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from firmware_export.common import defaults
from keras_satkd.settings.setting_types import LARGEST, Fraction, Strict, Threshold


@dataclass(frozen=True)
class FirmwareConfig(Strict):
    """The exported C code."""

    symbol: str = defaults.SYMBOL
    """Name of the C array."""
    verification_images: Annotated[int, Field(ge=defaults.LEAST_IMAGES, le=LARGEST, strict=True)] = (
        defaults.LEAST_IMAGES
    )
    """Number of images on which TensorFlow Lite Micro and the trained model must agree."""
    largest_drop: Threshold = 0.05
    """Largest drop of the accuracy on the validation images from the float student to the QAT student, the int8 model,
    and TensorFlow Lite Micro. A larger one, beyond chance, stops the export."""
    error_rate: Fraction = defaults.ERROR_RATE
    """Fraction of the classifier's predictions that may be wrong.
    The abstention threshold for it is found on the validation images."""
    false_alarm_rate: Annotated[float, Field(ge=defaults.LOWEST_FALSE_ALARM_RATE, lt=1, strict=True)] = (
        defaults.FALSE_ALARM_RATE
    )
    """Fraction of the drift monitor's windows that may be false alarms.
    The bounds for it are found on the validation images."""
    drift_window: Annotated[int, Field(ge=1, le=defaults.LARGEST_DRIFT_WINDOW, strict=True)] = defaults.DRIFT_WINDOW
    """Number of images after which the drift monitor decides."""
    target: str | None = None
    """The microcontroller that the reports mark, such as `samv71`.
    `python -m firmware_export --help` lists the names."""
