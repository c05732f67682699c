"""Teachers: their names, and how they are built, saved and loaded."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tf_keras

from firmware_export.common import digests as file_digests
from firmware_export.common.errors import UserError, unknown_name
from firmware_export.common.files import read_text, write_with
from firmware_export.tflite import keras_inspection
from firmware_export.tflite.input_range import DEFAULT
from keras_satkd.models import pretrained, stored_logits, teacher_zoo
from keras_satkd.models.formats import files
from keras_satkd.models.teacher import AnyTeacher, Teacher, digests, with_classes
from keras_satkd.models.teacher_models import check_output, load_logits, load_model, saved_model
from keras_satkd.models.teacher_settings import SUFFIX, TeacherSettings
from keras_satkd.models.teacher_settings import read as read_settings
from keras_satkd.run import artifacts

__all__ = [
    "AnyTeacher",
    "Teacher",
    "build",
    "check_initial_weights",
    "check_names",
    "check_output",
    "check_trained",
    "digests",
    "is_trained",
    "load",
    "load_weights",
    "save",
    "saved_model",
    "with_classes",
]

WEIGHTS_FILE = artifacts.TEACHER_WEIGHTS_FILE
DESCRIPTION_FILE = artifacts.TEACHER_DESCRIPTION_FILE

_SUFFIXES = (*files.SUFFIXES, *stored_logits.READERS, SUFFIX)


def build(specification: str, classes: int, initial_weights: str, *, channels: int = 3) -> Teacher:
    """Build a teacher for fine-tuning.

    Args:
        specification: a name in `teacher_zoo.ARCHITECTURES`, optionally with `@size`.
        classes: number of logits.
        initial_weights: `imagenet`, `none`, `auto` (ImageNet weights if they are available), or a trained teacher of
            the same architecture and input size.
        channels: of the input; other than 3 only without initial weights.

    Raises:
        UserError: the name is unknown, `imagenet` is given and the weights are not available, or the trained teacher
            is another network.
    """
    name, input_size = teacher_zoo.parse_name(specification)
    if is_trained(initial_weights):
        network = teacher_zoo.network(specification, classes, "none")
        load_weights(network, pretrained.path(initial_weights) / WEIGHTS_FILE, f"teacher {specification}")
    else:
        network = teacher_zoo.network(specification, classes, initial_weights, channels=channels)
    return Teacher(name, network, input_size, teacher_zoo.ARCHITECTURES[name].input_range)


def check_initial_weights(initial_weights: str) -> None:
    """Check that initial weights exist.

    Raises:
        UserError: they are neither one of `teacher_zoo.INITIAL_WEIGHTS` nor a trained teacher.
    """
    if initial_weights not in teacher_zoo.INITIAL_WEIGHTS and not is_trained(initial_weights):
        raise unknown_name("teachers.initial_weights", initial_weights, teacher_zoo.INITIAL_WEIGHTS)


def check_names(names: Sequence[str]) -> None:
    """Check names of teachers, before any work is done.

    Raises:
        UserError: a name is unknown, or two teachers would have the same `Teacher.name`.
    """
    specifications: dict[str, str] = {}
    for given in names:
        name = _name(given)
        if name in specifications:
            raise UserError(
                f"teachers.names contains {name!r} twice ({specifications[name]!r}, {given!r}): give each teacher "
                "once, and rename different teachers of the same name"
            )
        specifications[name] = given


def _name(specification: str) -> str:
    """The `Teacher.name` of a trained teacher, or the shortest specification of an untrained one."""
    if is_trained(specification):
        path = pretrained.path(specification)
        return path.name if path.is_dir() else path.stem
    if Path(specification).suffix in _SUFFIXES:
        raise UserError(f"teacher {specification!r} does not exist: correct its path")
    name, input_size = teacher_zoo.parse_name(specification)
    return name if input_size == teacher_zoo.ARCHITECTURES[name].input_size else f"{name}@{input_size}"


def check_trained(names: Sequence[str]) -> None:
    """Check that the teachers of teachers are trained.

    Raises:
        UserError: one is neither a folder nor a file.
    """
    for name in names:
        if not is_trained(name):
            raise UserError(
                f"teachers.taught_by contains {name!r}, which is no trained teacher: give a folder that "
                "keras_satkd.teach wrote"
            )


def save(teacher: Teacher, class_names: Sequence[str], scores: dict[str, Any], folder: Path) -> None:
    """Write a fine-tuned teacher from `build`: its weights as arrays, and a description to build it again."""
    write_with(folder / WEIGHTS_FILE, lambda path: teacher.network.save_weights(path))
    file_digests.write_json(
        folder / DESCRIPTION_FILE,
        {
            "architecture": teacher.name,
            "classes": teacher.classes,
            "class_names": list(class_names),
            "input_size": teacher.input_size,
            "input_range": teacher.input_range,
            **({"bands": list(teacher.band_names)} if teacher.band_names else {}),
            "scores": scores,
            file_digests.KEY: file_digests.of(folder / WEIGHTS_FILE),
        },
    )


def is_trained(specification: str) -> bool:
    """Whether `specification` is an existing or shipped teacher rather than the name of an architecture."""
    return pretrained.path(specification).exists()


def load(specification: str, saved_model_input: str = DEFAULT, *, trust: bool = False) -> AnyTeacher:
    """A trained teacher.

    Args:
        specification: the name of a shipped teacher, or the path of a folder that `save` wrote, of a model
            (`formats.files.load`), of a file of logits (`stored_logits`), or of a TOML file with settings for one of
            the last two (`teacher_settings`).
        saved_model_input: one of `INPUT_RANGES`, the one that a model expects if neither its settings nor its file
            show it; a folder defines its own.
        trust: load a model even if it can run code.

    Raises:
        UserError: the file is damaged, contains other weights, could run code, or is not an image classifier with a
            square input.
    """
    path, settings = pretrained.path(specification), TeacherSettings()
    name = path.stem
    if path.suffix == SUFFIX:
        settings, path = read_settings(path)
    elif path.is_dir() and not files.is_saved_model(path):
        return _load_folder(path)
    elif path.is_dir():
        name = path.name
    if path.is_file() and path.suffix not in _SUFFIXES:
        raise UserError(
            f"teacher {path} is a {path.suffix or 'file without an ending'}: give a model "
            f"({', '.join(files.SUFFIXES)} or a SavedModel), logits ({', '.join(stored_logits.READERS)}), or settings "
            f"({SUFFIX})"
        )
    if path.suffix in stored_logits.READERS:
        return load_logits(name, path, settings)
    return load_model(name, path, settings, saved_model_input, trust=trust)


def _load_folder(folder: Path) -> Teacher:
    file_digests.check(folder / DESCRIPTION_FILE, "copy the folder again")
    try:
        description = json.loads(read_text(folder / DESCRIPTION_FILE))
        name, classes = description["architecture"], description["classes"]
        input_size, input_range = description["input_size"], description["input_range"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"teacher {folder} contains no readable {DESCRIPTION_FILE}: give a folder that keras_satkd.teach wrote"
        ) from None
    _check_digest(folder, description.get(file_digests.KEY))
    bands = tuple(description.get("bands", ()))
    teacher = build(f"{name}@{input_size}", classes, "none", channels=len(bands) or 3)
    load_weights(teacher.network, folder / WEIGHTS_FILE, f"teacher {name}")
    class_names = tuple(description.get("class_names", ())) or None
    return Teacher(folder.name, teacher.network, input_size, input_range, class_names=class_names, band_names=bands)


def _check_digest(folder: Path, described: Any) -> None:
    weights = folder / WEIGHTS_FILE
    if isinstance(described, str) and weights.is_file() and file_digests.of(weights) != described:
        raise UserError(
            f"{weights} is damaged or was replaced (its SHA-256 is not the one in {DESCRIPTION_FILE}): copy the folder "
            "again, or fine-tune the teacher again"
        )


def load_weights(network: tf_keras.Model, path: Path, what: str) -> None:
    """Read a weights file into `network`.

    Raises:
        UserError: the file is missing, damaged, or belongs to another architecture.
    """
    keras_inspection.check_weights(path)
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{path} does not contain the weights of {what} ({reason}): give the file written for it"
        ) from None
