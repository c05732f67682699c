"""A sensor, described by the values of its data sheet in a TOML file.

    name = "My camera"
    snr = [150, 160, 120]                          # one value per band, at the mean of an image
    psf = { value = 0.6, range = [0.4, 0.9] }      # standard deviation in pixels
    prnu = 1.0                                     # percent

    [compression]
    jpeg2000 = 2.0                                 # bits per pixel of each band

Evaluation uses the sensor's values; training draws from its ranges. The default range is half of the value to twice the
value, and that of `bits` is the value. A figure that is missing disturbs nothing.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WrapValidator

from firmware_export.common.errors import UserError, unknown_name
from keras_satkd.camera.pixels import in_parts
from keras_satkd.camera.suite import HELD_OUT, KINDS
from keras_satkd.camera.training import Mixture, Range
from keras_satkd.config import CameraConfig
from keras_satkd.config_io import read_toml

FOLDER = Path(__file__).parent / "sensors"
"""Folder of the package's own sensors."""

ANY = "any"
"""Name that stands for any camera from healthy to poor (`training.BROAD`) instead of one sensor."""

FULL_RANGE_BITS = 8
"""Bits per pixel and band of the images; a sensor with as many or more bits does not change them."""


Figure = Annotated[float, Field(strict=True)]
"""A number, no text and no truth value."""


class Quantity(BaseModel):
    """A figure of the data sheet.

    Attributes:
        value: one number, or one per band.
        range: lowest and highest value in training, as means over the bands.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: Figure | Annotated[tuple[Figure, ...], Field(min_length=1)]
    range: tuple[Figure, Figure] | None = None

    @property
    def mean(self) -> float:
        """Mean over the bands."""
        return float(np.mean(self.value))

    @property
    def profile(self) -> tuple[float, ...] | None:
        """Ratio of each band's value to the mean; None if all bands have the same value."""
        if isinstance(self.value, float) or self.mean == 0:
            return None
        return tuple(each / self.mean for each in self.value)


def _within(least: float, greatest: float, *, bands: bool, factor: float = 2.0) -> WrapValidator:
    """Accepts a `Quantity`, a number, or a list of one number per band, if all numbers are in the given range.

    Without a range, training draws from the mean divided by `factor` to the mean times `factor`.
    """

    def check(given: Any, validated: Callable[[Any], Quantity]) -> Quantity:
        if isinstance(given, bool) or not isinstance(given, int | float | list | dict):
            raise ValueError("give a number, a list of one number per band, or { value = ..., range = [..., ...] }")
        found = validated(given if isinstance(given, dict) else {"value": given})
        values = (found.value,) if isinstance(found.value, float) else found.value
        if len(values) == 1:
            found = found.model_copy(update={"value": values[0]})
        elif not bands:
            raise ValueError("give one number, which applies to all bands")
        for number in (*values, *(found.range or ())):
            if not least <= number <= greatest:
                raise ValueError(f"{number:g} is not in the range {least:g} to {greatest:g}")
        if found.range is None:
            return Quantity(
                value=found.value, range=(max(least, found.mean / factor), min(greatest, found.mean * factor))
            )
        if found.range[0] > found.range[1]:
            raise ValueError(f"the end of the range {list(found.range)} is below its start")
        if not found.range[0] <= found.mean <= found.range[1]:
            raise ValueError(f"the value {found.mean:g} is not in its range {list(found.range)}")
        return found

    return WrapValidator(check)


class Compression(BaseModel):
    """Lossy compression of the images; at most one of the two."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    jpeg: Annotated[Quantity | None, _within(1, 95, bands=False)] = None
    """libjpeg's quality."""
    jpeg2000: Annotated[Quantity | None, _within(0.1, 8, bands=False)] = None
    """Bits per pixel of each band."""


class Sensor(BaseModel):
    """The figures of a camera, in the order of its signal chain."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    psf: Annotated[Quantity | None, _within(0, 8, bands=True)] = None
    """Standard deviation of the point spread function in pixels."""
    smear: Annotated[Quantity | None, _within(0, 32, bands=False)] = None
    """Motion during exposure in pixels."""
    registration: Annotated[Quantity | None, _within(0, 8, bands=False)] = None
    """Shift between the bands in pixels. Training never uses it."""
    calibration: Annotated[Quantity | None, _within(0, 50, bands=True)] = None
    """Radiometric accuracy: gain of each band, ± percent."""
    prnu: Annotated[Quantity | None, _within(0, 50, bands=True)] = None
    """Photo response non-uniformity of the columns in percent."""
    snr: Annotated[Quantity | None, _within(0.1, 1e6, bands=True)] = None
    """Signal-to-noise ratio at the mean of an image."""
    defects: Annotated[Quantity | None, _within(0, 100, bands=False)] = None
    """Defective pixels in percent."""
    dead_columns: Annotated[Quantity | None, _within(0, 64, bands=False)] = None
    """Mean number of dead columns in an image."""
    bits: Annotated[Quantity | None, _within(1, 16, bands=False, factor=1)] = None
    """Bits of the analog-to-digital converter."""
    compression: Compression = Compression()
    """Lossy compression."""

    def parts(self) -> Iterator[tuple[str, Quantity]]:
        """The disturbances in the order of the signal chain: names of `suite.KINDS`, each with its figure."""
        for kind, figure in self._figures():
            if figure.mean < FULL_RANGE_BITS if kind == "bits" else figure.mean > 0:
                yield kind, figure

    def _figures(self) -> Iterator[tuple[str, Quantity]]:
        figures = {name: getattr(self, name) for name in type(self).model_fields if name not in ("name", "compression")}
        figures |= {"jpeg": self.compression.jpeg, "jpeg2000": self.compression.jpeg2000}
        for name, figure in figures.items():
            if figure is not None:
                yield _KIND_OF.get(name, name), figure

    def capture(self, images: np.ndarray, only: str | None = None, first_seed: int = 0) -> np.ndarray:
        """The images as this sensor captures them, with its values.

        Args:
            images: uint8 [N, H, W, C].
            only: name of the only disturbance to apply; by default, all are applied.
            first_seed: seed of the first image, not negative; each next image has the next integer.

        Returns:
            uint8 [N, H, W, C], rounded once, after all disturbances.

        Raises:
            UserError: a figure has another number of bands than the images.
        """

        def disturb(part: np.ndarray, seeds: np.ndarray) -> np.ndarray:
            for name, figure in self.parts():
                if only in (None, name):
                    part = KINDS[name].disturb(part, self._severity(name, figure, *part.shape[::3]), seeds)
            return part

        return in_parts(images, first_seed, disturb)

    def _severity(self, name: str, figure: Quantity, count: int, bands: int) -> np.ndarray:
        if isinstance(figure.value, float):
            return np.full(count, figure.value)
        if len(figure.value) != bands:
            raise UserError(
                f"sensor {self.name}: {name} has {len(figure.value)} bands, the images have {bands}: give one number "
                f"or {bands} numbers"
            )
        return np.broadcast_to(np.array(figure.value), (count, bands))

    def to_toml(self) -> str:
        """The figures with their ranges as a TOML file; `load` reads the same sensor from it."""
        figures = self.model_dump(exclude_none=True)
        compression = figures.pop("compression")
        # JSON's escapes are also TOML's, except that TOML does not allow DEL.
        name = json.dumps(figures.pop("name"), ensure_ascii=False).replace("\x7f", "\\u007f")
        lines = [f"name = {name}", *map(_toml_line, figures.items())]
        if compression:
            lines += ["", "[compression]", *map(_toml_line, compression.items())]
        return "\n".join([*lines, ""])

    def mixture(self, share: float) -> Mixture:
        """The camera for training: a fraction `share` of the images passes through it, with values from the ranges."""
        trained = {}
        for kind, figure in self._figures():
            assert figure.range is not None
            low, high = figure.range
            has_effect = low < FULL_RANGE_BITS if kind == "bits" else high > 0
            if has_effect and KINDS[kind].group not in HELD_OUT:
                trained[kind] = Range(1.0, low, high, logarithmic=low > 0, profile=figure.profile)
        return Mixture(trained, share)


def _toml_line(figure: tuple[str, dict[str, Any]]) -> str:
    name, numbers = figure
    parts = (f"{key} = {list(value) if isinstance(value, tuple) else value}" for key, value in numbers.items())
    return f"{name} = {{ {', '.join(parts)} }}"


_KIND_OF = {"calibration": "band_gain"}


def load(name: str) -> Sensor:
    """A sensor of the package (`healthy`, `poor`), or the sensor in a TOML file.

    Raises:
        UserError: neither exists, the file is not valid TOML, or a figure is unknown or out of its range.
    """
    values = {"name": Path(name).stem, **read_toml(name, FOLDER, "sensor", "--sensor")}
    origin = f"--sensor {name}"
    try:
        sensor = Sensor.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{origin}: {_first_mistake(error)}") from None
    if sensor.compression.jpeg and sensor.compression.jpeg2000:
        raise UserError(f"{origin}: compression has both jpeg and jpeg2000: give only the one that the camera uses")
    return sensor


def examples(bands: int) -> list[Sensor]:
    """The package's own sensors, from healthy to poor.

    Args:
        bands: of the images; a figure for another number of bands is its mean.
    """
    return [_for_bands(load(name), bands) for name in ("healthy", "poor")]


def _for_bands(sensor: Sensor, bands: int) -> Sensor:
    figures = {name: getattr(sensor, name) for name in type(sensor).model_fields}
    averaged = {
        name: figure.model_copy(update={"value": figure.mean})
        for name, figure in figures.items()
        if isinstance(figure, Quantity) and isinstance(figure.value, tuple) and len(figure.value) != bands
    }
    return sensor.model_copy(update=averaged)


def mixture(config: CameraConfig, sensor: Sensor | None) -> Mixture | None:
    """The camera that disturbs a run's training images; None if the run has no camera.

    Args:
        config: the run's settings.
        sensor: the run's sensor; None without a camera or with `any`.
    """
    if sensor is not None:
        return sensor.mixture(config.share)
    return Mixture(share=config.share) if config.sensor == ANY else None


def captured(camera: Mixture | None, sensor: Sensor | None, images: np.ndarray) -> np.ndarray:
    """Images as a run's sensor captures them. The same images are always disturbed in the same way.

    Args:
        camera: the run's camera; with `any`, it disturbs its share of the images.
        sensor: the run's sensor, which disturbs all images with its values; None without a camera or with `any`.
        images: uint8 [N, H, W, C].

    Returns:
        uint8 [N, H, W, C].

    Raises:
        UserError: the sensor has another number of bands than the images.
    """
    if sensor is not None:
        return sensor.capture(images)
    return images if camera is None else camera(images, np.arange(len(images)))


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors()[0]
    # Where several types are allowed, pydantic's location also contains the names of types.
    where = ".".join(str(part) for part in mistake["loc"] if part in {*_FIGURES, *Quantity.model_fields})
    if mistake["type"] == "extra_forbidden":
        if where in Compression.model_fields:
            return f"{where} is at the top: write it below [compression]"
        inside = where.split(".")[-1] in _FIGURES - {"compression"}
        known = set(Quantity.model_fields) if inside else _FIGURES
        return str(unknown_name("figure", str(mistake["loc"][-1]), known))
    message = mistake["msg"].removeprefix("Value error, ")
    return f"{where} is {mistake['input']!r}: {message[0].lower()}{message[1:]}"


_FIGURES = {*Sensor.model_fields, *Compression.model_fields}
