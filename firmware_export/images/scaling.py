"""How samples of any number of bits become the 8-bit codes that a model takes: integers, the same in Python and C.

The codes of a band divide the range `low..high` into 256 equal parts: `256 (sample - low) // (high - low + 1)`. So the
full range of 12 bits is a shift by 4, that of 16 bits a shift by 8, and 8-bit samples stay as they are.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.common import digests, files
from firmware_export.common.errors import UserError
from firmware_export.images.image_set import Bands

LEVELS = 256
LARGEST = {"uint8": 255, "uint16": 65535}
"""Largest sample by type."""

_PART = 256
"""Images that are scaled at a time."""


@dataclass(frozen=True)
class Scaling:
    """The range of each channel's samples that the codes 0..255 divide.

    Attributes:
        bands: the channels.
        samples: type of the samples: `uint8`, `uint16` or `float32`.
        low: per channel, the lowest sample of code 0; smaller ones have code 0, too.
        high: per channel, the highest sample of code 255; larger ones have code 255, too.
        reason: where the range comes from, as part of a sentence.
    """

    bands: Bands
    samples: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    reason: str = field(compare=False)

    def codes(self, samples: np.ndarray) -> np.ndarray:
        """The codes of samples.

        Args:
            samples: [N, …, C] of the type `samples`, finite.

        Returns:
            uint8 of the same shape; the samples themselves if they are codes.
        """
        if self.is_identity:
            return samples
        codes = np.empty(samples.shape, np.uint8)
        for start in range(0, len(samples), _PART):
            codes[start : start + _PART] = self._codes(samples[start : start + _PART])
        return codes

    def _codes(self, samples: np.ndarray) -> np.ndarray:
        low, high = self.low, self.high
        if self.samples == "float32":
            first, last = np.array(low), np.array(high)
            scaled = np.floor((samples.astype(np.float64) - first) * LEVELS / (last - first))
        else:
            wide = samples.astype(np.int64)
            scaled = (wide - np.array(low, np.int64)) * LEVELS // np.array(self.spans, np.int64)
        codes: np.ndarray = np.clip(scaled, 0, LEVELS - 1).astype(np.uint8)
        return codes

    @property
    def is_identity(self) -> bool:
        """Whether samples are codes already."""
        return self.samples == "uint8" and set(self.low) == {0} and set(self.high) == {LARGEST["uint8"]}

    @property
    def spans(self) -> tuple[int, ...]:
        """Number of different samples in each channel's range; for integer samples."""
        return tuple(int(high) - int(low) + 1 for low, high in zip(self.low, self.high, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """As in `scaling.json`; bands are counted from 1."""
        return {
            "bands": list(self.bands.names),
            "band_numbers": [position + 1 for position in self.bands.positions],
            "file_bands": self.bands.of,
            "samples": self.samples,
            "low": list(self.low),
            "high": list(self.high),
            "reason": self.reason,
        }


def from_dict(values: Any, origin: str) -> Scaling:
    """The scaling in a JSON object.

    Raises:
        UserError: it is none; `origin` names its source.
    """
    try:
        bands = Bands(
            tuple(map(str, values["bands"])),
            tuple(int(number) - 1 for number in values["band_numbers"]),
            int(values["file_bands"]),
        )
        scaling = Scaling(bands, values["samples"], tuple(values["low"]), tuple(values["high"]), values["reason"])
        _check(scaling)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{origin} is no scaling ({error}): give the scaling.json of a run") from None
    return scaling


def _check(scaling: Scaling) -> None:
    bands = scaling.bands
    if not bands.names or len({len(bands.names), len(bands.positions), len(scaling.low), len(scaling.high)}) > 1:
        raise ValueError("bands, band_numbers, low and high differ in length, or are empty")
    if not all(0 <= position < bands.of for position in bands.positions):
        raise ValueError(f"a band number is not in 1..{bands.of}")
    if scaling.samples not in (*LARGEST, "float32") or not isinstance(scaling.reason, str):
        raise ValueError(f"samples is {scaling.samples!r}, uint8, uint16 or float32 expected")
    largest = LARGEST.get(scaling.samples)
    for low, high in zip(scaling.low, scaling.high, strict=True):
        if not low < high or not np.isfinite([low, high]).all():
            raise ValueError(f"the range {low}..{high} is empty or infinite")
        if largest is not None and not (isinstance(low, int) and isinstance(high, int) and 0 <= low < high <= largest):
            raise ValueError(f"the range {low}..{high} is not of whole numbers in 0..{largest}")


def load(path: Path) -> Scaling:
    """The scaling in a file that a run wrote.

    Raises:
        UserError: the file does not exist, is damaged, or contains something else.
    """
    digests.check(path, "copy it again from the run")
    try:
        return from_dict(json.loads(files.read_text(path)), str(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"--scaling {path} is not readable ({error}): give the scaling.json of a run") from None


def full_range(bands: Bands, samples: str, largest: float, reason: str) -> Scaling:
    """The scaling of a whole range `0..largest` in all channels."""
    channels = len(bands.names)
    return Scaling(bands, samples, (0,) * channels, (largest,) * channels, reason)
