"""Every setting of a run, with its default and the reason for it.

The command line, a TOML file (`--config`) and the run's `config.json` mirror these dataclasses one to one. Ranges are
declared on the types and checked in one place, `validated`. This module imports neither TensorFlow nor NumPy, so that
`--help` is quick.
"""

import dataclasses
import difflib
import json
import shlex
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from firmware_export.common import defaults
from firmware_export.common.command_line import MayBePath, words
from firmware_export.common.errors import UserError, unknown_name
from firmware_export.common.files import read_text

PRESETS = Path(__file__).parent / "presets"

Count = Annotated[int, Field(ge=1)]
Epochs = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Threshold = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]

Augmentation = Literal["none", "dihedral", "satellite", "randaugment"]
Schedule = Literal["constant", "cosine", "plateau"]
Rule = Literal["paper-batch", "paper-sample", "confidence", "entropy", "static", "single", "none"]
MixedPrecision = Literal["auto", "on", "off"]

PLATEAU_PATIENCE = 10
"""Epochs without a better validation loss after which the schedule `plateau` lowers the learning rate: the default of
PyTorch's `ReduceLROnPlateau`, which the paper uses."""


class _Strict:
    # An unknown key is a typing error of the user's, which must not be ignored.
    __pydantic_config__ = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class DataConfig(_Strict):
    """Which images, and how they are divided."""

    source: Annotated[str, MayBePath, tyro.conf.arg(aliases=("--data",))] = "eurosat/rgb"
    """A TFDS name, an image folder (one subfolder a class), a zip of one, or `synthetic`."""
    data_dir: Annotated[str | None, MayBePath, tyro.conf.arg(aliases=("--data-dir",))] = None
    """Where TFDS keeps its data sets; its own default when not given."""
    cache_dir: Annotated[str | None, MayBePath] = None
    """Where decoded images and precomputed teacher logits are kept; the user's cache folder when not given."""
    image_size: Count = 64
    """Height and width of the images in pixels; other sizes are resized on decoding."""
    validation_fraction: Fraction = 0.1
    """Part of every class in the validation set, which selects weights and fits schedules and calibration."""
    test_fraction: Fraction = 0.2
    """Part of every class in the test set, which is evaluated once, after all choices are made."""
    seed: int = 0
    """Draws the split, the augmented views (and the scenes of `synthetic`)."""
    strict: Annotated[bool, tyro.conf.arg(aliases=("--strict",))] = False
    """Stop at the first unreadable image instead of skipping it with a count."""
    synthetic_images: Count = 3000
    """How many scenes `synthetic` draws, all classes together."""


@dataclass(frozen=True)
class CameraConfig(_Strict):
    """The camera through which training images are seen, by teachers and student alike."""

    sensor: Annotated[str | None, MayBePath, tyro.conf.arg(aliases=("--sensor",))] = None
    """A sensor's TOML file, one of the package's (`healthy`, `poor`), or `any`: cameras from healthy to poor. Training
    draws from its ranges, the test reports at its values; images stay as they are when not given."""
    share: Threshold = 0.5
    """Part of the training and validation images that pass through the camera."""


@dataclass(frozen=True)
class TrainingConfig(_Strict):
    """One call of `fit`: optimizer (AdamW), schedule and patience."""

    epochs: Epochs = 30
    """Passes over the training images."""
    batch_size: Count = 128
    """Images in a step."""
    learning_rate: Positive = 2e-3
    """AdamW's, at its peak."""
    weight_decay: NonNegative = 5e-4
    """AdamW's decoupled decay."""
    schedule: Annotated[
        Schedule,
        tyro.conf.arg(
            help=f"`cosine` to zero after a warm-up of 5 %; `plateau` divides by ten after {PLATEAU_PATIENCE} epochs "
            "without a better validation loss; `constant`."
        ),
    ] = "cosine"
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Momentum of a moving average of the weights (0.999, say), which is validated and kept in their place; 0: none."""
    patience: Count | None = None
    """Stop after so many epochs without a better validation accuracy; never when not given."""


@dataclass(frozen=True)
class TeachersConfig(TrainingConfig):
    """The teachers, and how they are fine-tuned."""

    names: Annotated[tuple[str, ...], MayBePath] = ()
    """Each a known name, with an input size after `@` if wanted (`efficientvit_m2@128`), a folder that
    `keras_satkd.teach` made, a shipped teacher (`efficientvit_m2_eurosat`) or a saved Keras model. When none is given:
    the shipped ones if the classes are EuroSAT's, otherwise `efficientvit_m2@96` and `mobilevitv2_100@64`."""
    initial_weights: Annotated[str, MayBePath] = "auto"
    """`imagenet`; `none`: from scratch; `auto`: ImageNet's where they can be fetched, otherwise from scratch; or a
    trained teacher of the same architecture, whose training is continued."""
    taught_by: Annotated[tuple[str, ...], MayBePath] = ()
    """Trained teachers (folders, saved Keras models) under whose distillation loss the teachers are fine-tuned."""
    saved_model_input: Literal["0..1", "-1..1", "0..255", "imagenet"] = "0..1"
    """The input range that a saved Keras model of your own expects."""
    learning_rate: Positive = 1e-3
    """AdamW's, at its peak (the paper's)."""
    batch_size: Count = 64
    """Images in a step."""
    epochs: Epochs = 25
    """Passes over the training images (the paper's)."""
    patience: Count | None = 8
    """Stop after so many epochs without a better validation accuracy."""
    mixed_precision: MixedPrecision = "off"
    """Compute in bfloat16; it slows most transformers down on processors."""
    augmentation: Augmentation = "satellite"
    """`dihedral`: flips and quarter turns; `satellite`: those, shifts, light and colour; `randaugment`: KerasCV's."""


@dataclass(frozen=True)
class WeightingConfig(_Strict):
    """Weights of the teachers: the rule and its thresholds (the paper's Algorithm 1)."""

    rule: Rule = "confidence"
    """`paper-batch`, `paper-sample`: the paper's cases on the batch's mean or on each image; `confidence`: in
    proportion to each teacher's calibrated confidence; `entropy`: to its certainty; `static`; `single`; `none`: the
    ground truth alone, no teacher is asked."""
    confidence_threshold: Threshold = 0.6
    """δ of the paper: a teacher below it is unsure."""
    confidence_floor: Threshold = 0.4
    """When every teacher is below it, the ground truth teaches alone."""
    minimum_weight: Threshold = 0.1
    """w_min of the paper: the least weight of an unsure teacher."""
    distillation_share: Threshold = 0.5
    """Part of the loss that comes from teachers, for the rules other than the paper's."""
    static_weights: tuple[NonNegative, ...] = ()
    """For `static`: one weight a teacher, brought to sum 1; equal when empty."""
    single_teacher: Annotated[int, Field(ge=0)] = 0
    """For `single`: the position in `teachers.names` of the one that teaches."""


@dataclass(frozen=True)
class DistillationConfig(TrainingConfig):
    """The student's training under ground truth and teachers."""

    initial_weights: Annotated[str | None, MayBePath] = None
    """A trained float student of the same architecture whose training is continued: its `student.keras`, or
    a shipped one (`resnet8_eurosat.keras`). Other classes begin with a fresh last layer."""
    mixed_precision: MixedPrecision = "auto"
    """Compute in bfloat16; `auto`: where the processor has it (avx512_bf16) or there is a GPU."""
    augmentation: Augmentation = "satellite"
    """`dihedral`: flips and quarter turns; `satellite`: those, shifts, light and colour; `randaugment`: KerasCV's."""
    temperature: Positive = 5.0
    """τ: softens teachers' and student's probabilities (the paper's)."""
    teacher_logits: Literal["precomputed", "averaged", "in-loop"] = "precomputed"
    """`precomputed`: teachers run once over a fixed set of views; `averaged`: so they do, and the mean of their logits
    for an image is used with fresh views of it; `in-loop`: they run in every step."""
    views: Count = 8
    """Augmented views of every training image whose teacher logits are precomputed; `data.seed` draws them."""
    sensor_noise: Threshold = 0.0
    """Largest standard deviation, as a part of full range, of noise on the student's training images, here and in QAT.
    Each image draws its own; the teachers see none of it."""
    weighting: WeightingConfig = field(default_factory=WeightingConfig)


@dataclass(frozen=True)
class QuantizationConfig(TrainingConfig):
    """Quantization-aware training of the distilled student, under the same loss."""

    epochs: Epochs = 5
    """Passes over the training images; 0 keeps post-training quantization alone."""
    learning_rate: Positive = 2e-4
    """A tenth of distillation's: the weights only adapt to the int8 grid."""
    calibration_images: Count = 256
    """Training images that set the ranges of activations, in QAT and in post-training quantization."""


@dataclass(frozen=True)
class FirmwareConfig(_Strict):
    """The C arrays."""

    symbol: str = defaults.SYMBOL
    """Name of the C array."""
    verification_images: Annotated[int, Field(ge=defaults.LEAST_IMAGES)] = defaults.LEAST_IMAGES
    """Images on which TensorFlow Lite Micro and the trained model must agree."""
    error_rate: Annotated[float, Field(gt=0, lt=1)] = defaults.ERROR_RATE
    """Part of the classifier's predictions that may be wrong; validation images set the abstention threshold for it."""


@dataclass(frozen=True)
class Config(_Strict):
    """A whole run."""

    data: DataConfig = field(default_factory=DataConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    teachers: TeachersConfig = field(default_factory=TeachersConfig)
    student: str = "resnet8"
    """`resnet8` or `resnet16`."""
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    quantization: QuantizationConfig = field(default_factory=QuantizationConfig)
    firmware: FirmwareConfig = field(default_factory=FirmwareConfig)
    seed: int = 0
    """Draws initial weights and the order of images."""


def from_dict(values: dict[str, Any], origin: str) -> Config:
    """The configuration that `values` (nested, as in TOML or JSON) describe; settings left out keep their defaults.

    Raises:
        UserError: an unknown setting, a value of the wrong kind or out of its range; `origin` names its source.
    """
    try:
        config = TypeAdapter(Config).validate_python(values)
    except ValidationError as error:
        raise UserError(f"{origin}: {_first_mistake(error)}") from None
    if config.data.validation_fraction + config.data.test_fraction >= 1:
        fractions = f"{config.data.validation_fraction} + {config.data.test_fraction}"
        raise UserError(f"{origin}: data.validation_fraction + data.test_fraction is {fractions}; it must be below 1")
    is_in_loop = config.distillation.teacher_logits == "in-loop"
    if config.distillation.augmentation == "randaugment" and not is_in_loop:
        raise _not_repeatable(origin, "distillation.augmentation")
    if config.teachers.taught_by and config.teachers.augmentation == "randaugment" and not is_in_loop:
        raise _not_repeatable(origin, "teachers.augmentation")
    return config


def _not_repeatable(origin: str, setting: str) -> UserError:
    return UserError(
        f"{origin}: {setting} 'randaugment' cannot be repeated, so its teacher logits cannot be precomputed: use "
        "'satellite', or --distillation.teacher-logits in-loop"
    )


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors()[0]
    where = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "unexpected_keyword_argument":
        values = to_dict(Config())
        close = difflib.get_close_matches(where, [*values, *flatten(values)], n=1)
        return f"unknown setting {where!r}" + (f": did you mean {close[0]!r}?" if close else "")
    return f"{where} is {mistake['input']!r}: {mistake['msg'][0].lower()}{mistake['msg'][1:]}"


def validated(config: Config) -> Config:
    """`config` itself, once every value is in its range.

    Raises:
        UserError: one is not.
    """
    return from_dict(to_dict(config), "command line")


def to_dict(config: Config) -> dict[str, Any]:
    """`config` as nested dictionaries of plain values, as they stand in `config.json`."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return values


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `{"distillation.temperature": 5.0, ...}`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def command(config: Config, program: str) -> str:
    """What to type to have a run of `config`: what differs from the `eurosat` preset, without folders' names.

    Args:
        config: of the run.
        program: module, as in `keras_satkd.distill`.
    """
    return shlex.join(["python", "-m", program, *words(config, load("eurosat"))])


def load(name: str) -> Config:
    """The configuration of a preset (`eurosat`, `eurosat_long`, `demo`, `paper`, `study`) or of a TOML file.

    Raises:
        UserError: neither exists, or the file is not TOML, or it holds a setting that is none.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = PRESETS / f"{name}.toml"
        if not path.exists():
            raise unknown_name("preset", name, [preset.stem for preset in PRESETS.glob("*.toml")])
    try:
        values = tomllib.loads(read_text(path))
    except OSError as error:
        raise UserError(f"--config {name}: {error.strerror}; give a preset's name or a TOML file") from None
    except ValueError as error:
        raise UserError(f"--config {name} is not TOML: {error}") from None
    return from_dict(values, f"--config {name}")
