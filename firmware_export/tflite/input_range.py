"""The ranges of values that models expect of pixels: stated by the user, or found from the input's quantization."""

from typing import TYPE_CHECKING

from firmware_export.common.errors import unknown_name

if TYPE_CHECKING:  # a help text does not need it
    import numpy as np

_IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
INPUT_RANGES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "0..1": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "-1..1": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "0..255": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "-0.5..0.5": ((127.5, 127.5, 127.5), (255.0, 255.0, 255.0)),
    "imagenet": _IMAGENET,
    "efficientnet-lite": ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
}
"""Mean and deviation of each channel by name: the value of a pixel in 0..255 is (pixel - mean) / deviation."""

DEFAULT = "0..1"
"""The range of this project's students."""

_RECOGNIZED = ("0..1", "-1..1", "0..255", "-0.5..0.5")
_NEAR = 0.25
"""Largest difference between a model's range and a recognized one at either end, as a fraction of the latter. A range
from calibration images is narrower than that of all pixels, rarely by more."""
_TIE = 0.5 + 1e-3
"""Codes: a rounding to nearest may differ by half a code from the real value, and a float32 scale by a little."""


def check(name: str) -> None:
    """Refuse an unknown range.

    Raises:
        UserError: `name` is not one of `INPUT_RANGES`.
    """
    if name not in INPUT_RANGES:
        raise unknown_name("input range", name, INPUT_RANGES)


def admitted(stated: str | None) -> tuple[str, ...]:
    """The ranges that a model may have been trained with: the one that its file states, or all."""
    return tuple(INPUT_RANGES) if stated is None else (stated,)


def candidates(scale: float, zero_point: int) -> tuple[str, ...]:
    """The ranges that an int8 tensor of this scale and zero point may stand for: those that it states exactly, or all.

    Images in another light look like images in another range, so a range that is stated exactly is not doubted.
    """
    exact = tuple(name for name in INPUT_RANGES if is_flipped_pixel(name, scale, zero_point))
    return exact or admitted(None)


def found(scale: float, zero_point: int) -> str | None:
    """The range whose ends an int8 tensor of this scale and zero point represents; None if it resembles none.

    >>> found(1 / 255, -128), found(1.0, -128), found(2 / 255, -1), found(0.58, 83)
    ('0..1', '0..255', '-1..1', None)
    """
    exact = (name for name in (*_RECOGNIZED, "efficientnet-lite") if is_flipped_pixel(name, scale, zero_point))
    if (name := next(exact, None)) is not None:
        return name
    low, high = scale * (-128 - zero_point), scale * (127 - zero_point)
    nearest, difference = None, _NEAR
    for name in _RECOGNIZED:
        first, last = value(name, 0), value(name, 255)
        away = max(abs(low - first), abs(high - last)) / (last - first)
        if away <= difference:
            nearest, difference = name, away
    return nearest


def value(name: str, pixel: float, channel: int = 0) -> float:
    """The real value of a pixel in 0..255.

    Args:
        name: one of `INPUT_RANGES`.
        pixel: its brightness.
        channel: 0 to 2.
    """
    means, deviations = INPUT_RANGES[name]
    return (pixel - means[channel]) / deviations[channel]


def is_gray(name: str) -> bool:
    """Whether a range is the same for all channels."""
    return all(len(set(each)) == 1 for each in INPUT_RANGES[name])


def of_channels(name: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and deviations of a range: further bands than RGB, or a single one, have the colors' average.

    Args:
        name: one of `INPUT_RANGES`.
        channels: number of channels.
    """

    def extended(values: tuple[float, float, float]) -> tuple[float, ...]:
        average = sum(values) / len(values)
        return (average,) if channels == 1 else (*values, *[average] * (channels - len(values)))[:channels]

    means, deviations = INPUT_RANGES[name]
    return extended(means), extended(deviations)


def normalized(images: "np.ndarray", name: str) -> "np.ndarray":
    """The values that a model expects of images.

    Args:
        images: uint8 [N, …], with the channels last.
        name: one of `INPUT_RANGES`.

    Returns:
        float32 [N, …].
    """
    import numpy as np

    means, deviations = (np.array(each, np.float32) for each in of_channels(name, images.shape[-1]))
    result: np.ndarray = (images.astype(np.float32) - means) / deviations
    return result


def is_flipped_pixel(name: str, scale: float, zero_point: int) -> bool:
    """Whether `pixel ^ 0x80`, read as int8, is the nearest code of every pixel's value in every channel.

    It is `pixel - 128`, and code and value are linear in the pixel, so the two ends decide.

    Args:
        name: one of `INPUT_RANGES`.
        scale: of the input.
        zero_point: of the input.
    """
    return all(
        abs(value(name, pixel, channel) / scale + zero_point - (pixel - 128)) <= _TIE
        for pixel in (0, 255)
        for channel in range(3)
    )
