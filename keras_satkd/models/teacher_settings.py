"""A teacher's own settings, in a TOML file that is given in place of its model.

model = "my.onnx"                       # relative to this file
input_range = "imagenet"
class_names = ["River", "Forest", ...]  # in the order of the outputs
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from firmware_export.common.errors import UserError
from keras_satkd.config_io import first_problem, read_toml
from keras_satkd.settings.setting_types import Count, InputRange, Strict

SUFFIX = ".toml"


@dataclass(frozen=True)
class TeacherSettings(Strict):
    """The settings of one teacher. What is not stated is found from the model."""

    model: str | None = None
    """Path of the model or the logits file, relative to the TOML file."""
    input_range: InputRange | None = None
    """Values that the model expects of pixels; by default `teachers.saved_model_input`."""
    input_size: Count | None = None
    """Height and width in pixels of the images that the model gets, if it takes any size."""
    bands: tuple[int | str, ...] = ()
    """Bands of the images that the model gets, in its order: their names, or their numbers from 1. By default all."""
    outputs: Literal["auto", "logits", "probabilities"] = "auto"
    """What the model gives. `auto`: probabilities, if every row is non-negative and sums to 1."""
    class_names: tuple[str, ...] = ()
    """The classes in the order of the outputs. By default, the order of the data's classes."""


def read(path: Path) -> tuple[TeacherSettings, Path]:
    """The settings in a TOML file, and the path of the model that they belong to.

    Raises:
        UserError: the file cannot be read, has an unknown setting or a wrong value, or names no existing model.
    """
    values = read_toml(str(path), path.parent, "teacher", "teacher")
    try:
        settings = TypeAdapter(TeacherSettings).validate_python(values)
    except ValidationError as error:
        raise UserError(f"teacher {path}: {first_problem(error, TeacherSettings())}") from None
    if settings.model is None:
        raise UserError(f'teacher {path}: model is missing: name the file, as in model = "my.onnx"')
    model = path.parent / Path(settings.model).expanduser()
    if not model.exists():
        raise UserError(f"teacher {path}: model {settings.model!r} does not exist in {path.parent}: correct its path")
    for name, given in (("class_names", settings.class_names), ("bands", settings.bands)):
        if len(set(given)) != len(given):
            raise UserError(f"teacher {path}: {name} {list(given)} contains a value twice: give each once")
    numbers = [band for band in settings.bands if isinstance(band, int)]
    if len(numbers) not in (0, len(settings.bands)) or min(numbers, default=1) < 1:
        raise UserError(f"teacher {path}: bands is {list(settings.bands)}: give names, or numbers from 1")
    return settings, model
