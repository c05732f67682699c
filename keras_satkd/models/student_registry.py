"""Students by name: ours, registered ones, functions in a user's module, and saved Keras models."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import tf_keras

from firmware_export.common.errors import UserError, unknown_name
from firmware_export.common.templating import one_line
from firmware_export.tflite.convert import is_quantization_aware, load_keras
from keras_satkd.models import mixer, pretrained, resnets
from keras_satkd.models.formats.files import KERAS_SUFFIXES
from keras_satkd.registry import STUDENTS, is_reference

Builder = Callable[[int, int, int], tf_keras.Model]
"""`(image_size, classes, channels)` → a new network: float32 [B, image_size, image_size, channels] in [0, 1] →
logits [B, classes]."""

OURS: dict[str, Builder] = {
    **{name: partial(resnets.build, name) for name in resnets.BLOCKS},
    **{name: partial(mixer.build, shape, name) for name, shape in mixer.SHAPES.items()},
}
"""The students of this package."""

_REGISTERED: dict[str, Builder] = {}


def register(name: str, student: Builder | tf_keras.Model) -> None:
    """Make a student known in this process, as `Config(student=name)` and `students.build(name, …)`.

    Args:
        name: must not be one of `OURS`; a registered name is replaced.
        student: a function `build(image_size, classes, channels)`, or a model, whose weights every training begins
            with.

    Raises:
        UserError: the name is one of ours.

    >>> register("mine", lambda image_size, classes, channels: tf_keras.Sequential())
    """
    if name in OURS:
        raise UserError(f"student {name!r} is one of this package: register yours under another name")
    _REGISTERED[name] = partial(_copy, student) if isinstance(student, tf_keras.Model) else student


def find(specification: str) -> Builder:
    """The function that builds a student.

    Args:
        specification: a name, `package.module:function`, or the path of a Keras model (`.keras`, `.h5`).

    Raises:
        UserError: there is no such student. The builder raises it, too: if the user's function fails or returns no
            model of `tf_keras`, or if the file is damaged, could run code, or is quantization-aware.
    """
    if specification in OURS:
        return OURS[specification]
    if specification in _REGISTERED:
        return partial(_built, specification, _REGISTERED[specification])
    file = file_of(specification)
    if file is not None:
        return partial(_loaded, file)
    if is_reference(specification):
        return partial(_built, specification, STUDENTS.load(specification))
    unknown = unknown_name("student", specification, {*OURS, *_REGISTERED})
    raise UserError(f"{unknown}, or give a .keras file or package.module:function")


def file_of(specification: str) -> Path | None:
    """The Keras file that a student is read from; None for a name or a function.

    Raises:
        UserError: no shipped model has the name after `shipped:`.
    """
    path = pretrained.path(specification)
    return path if path.suffix in KERAS_SUFFIXES else None


def is_own(specification: str) -> bool:
    """Whether a student is not one of this package, so that nobody has checked yet whether it can be exported."""
    return specification not in OURS


def _built(specification: str, build: Callable[..., Any], image_size: int, classes: int, channels: int) -> Any:
    # Keras numbers its layers per process; names, which end up in the exported model, must not depend on it.
    tf_keras.backend.reset_uids()
    try:
        found = build(image_size, classes, channels)
    except UserError:
        raise
    except Exception as error:
        # The user's code may raise anything.
        given = f"({image_size}, {classes}, {channels})"
        raise UserError(
            f"student {specification}: its function fails for (image_size, classes, channels) = {given} "
            f"({_shown(error)}): correct it"
        ) from error
    if not isinstance(found, tf_keras.Model):
        kind = f"{type(found).__module__}.{type(found).__qualname__}"
        raise UserError(f"student {specification}: its function returns a {kind}: return a tf_keras.Model")
    return found


def _loaded(file: Path, image_size: int, classes: int, channels: int) -> tf_keras.Model:
    found = load_keras(file)
    if is_quantization_aware(found):
        raise UserError(f"student {file} is quantization-aware: give the float model, which the run quantizes")
    if half := next((p for p in (layer.dtype_policy.name for layer in found.layers) if "float16" in p), None):
        raise UserError(f"student {file} computes in {half}: save it with the policy float32")
    return found


def _copy(model: tf_keras.Model, image_size: int, classes: int, channels: int) -> tf_keras.Model:
    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _shown(error: Exception) -> str:
    text = one_line(f"{type(error).__name__}: {error}")
    return text if len(text) <= 200 else f"{text[:197]}..."
