"""Types of the settings, with their ranges and names."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

LARGEST = 2**31 - 1
"""Largest count: TensorFlow's int32."""

# Strict, because pydantic would otherwise accept true as 1 and "30" as 30.
Count = Annotated[int, Field(ge=1, le=LARGEST, strict=True)]
Epochs = Annotated[int, Field(ge=0, le=LARGEST, strict=True)]
Index = Epochs
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Fraction = Annotated[float, Field(gt=0, lt=1, strict=True)]
Threshold = Annotated[float, Field(ge=0, le=1, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]

Schedule = Literal["constant", "cosine", "plateau"]
Mixing = Literal["none", "mixup", "cutmix", "both"]
MixedPrecision = Literal["auto", "on", "off"]
InputRange = Literal["0..1", "-1..1", "0..255", "-0.5..0.5", "imagenet", "efficientnet-lite"]
"""The names of `input_range.INPUT_RANGES`."""
ClassWeights = Literal["none", "balanced"]
Score = Literal["accuracy", "macro-f1"]
Strategy = Literal["auto", "one", "mirrored", "multi-worker"]
Uncertainty = Literal["margin", "entropy", "confidence"]
"""The names of `evaluation.ranking.MEASURES`."""


class Strict:
    """Settings that refuse unknown keys."""

    # An unknown key is most likely a typo, so it must not be ignored.
    __pydantic_config__ = ConfigDict(extra="forbid")
