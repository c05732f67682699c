"""Teachers that other people have trained: models of any format, and files of logits."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from firmware_export.common import digests as file_digests
from firmware_export.common.errors import UserError
from firmware_export.tflite.input_range import INPUT_RANGES
from keras_satkd.models import stored_logits
from keras_satkd.models.formats import files
from keras_satkd.models.formats.foreign import ForeignNetwork
from keras_satkd.models.stored_logits import StoredLogits, gives_probabilities
from keras_satkd.models.teacher import Teacher
from keras_satkd.models.teacher_settings import TeacherSettings

RGB = 3


def load_logits(name: str, path: Path, settings: TeacherSettings) -> StoredLogits:
    """A teacher whose logits are in a file.

    Raises:
        UserError: the file is not usable (`stored_logits.read`), settings are for models only, or the settings and the
            file name different classes.
    """
    for setting in ("input_range", "input_size", "bands"):
        if getattr(settings, setting):
            raise UserError(f"teacher {name}: {setting} is for models, and {path.name} holds logits: remove it")
    stored = stored_logits.read(path, name, settings.outputs)
    if not settings.class_names:
        return stored
    if stored.class_names not in (None, settings.class_names):
        raise UserError(f"teacher {name}: class_names differ from those in {path.name}: remove them from the settings")
    _check_class_names(name, stored.classes, settings)
    return replace(stored, class_names=settings.class_names)


def load_model(name: str, path: Path, settings: TeacherSettings, input_range: str, *, trust: bool = False) -> Teacher:
    """A teacher of a trained model in a file or folder.

    Args:
        name: the `Teacher.name`.
        path: of the model.
        settings: its own settings.
        input_range: one of `INPUT_RANGES`, if neither the settings nor the file show it.
        trust: load the model even if it can run code.

    Raises:
        UserError: the file is damaged or could run code; it is not an image classifier with a square input; or the
            settings do not fit it.
    """
    what = f"teacher {path}"
    if path.is_dir() and not files.is_saved_model(path):
        raise UserError(f"{what} is no SavedModel: name a model in the settings, or give the teacher's folder itself")
    if path.is_file():
        file_digests.check_described(path)
    network = files.load(path, what, trust=trust)
    size, bands = _input(network.input_shape, settings, what)
    chosen = settings.input_range or files.stated_range(network) or input_range
    if bands != RGB and len(set(zip(*INPUT_RANGES[chosen], strict=True))) > 1:
        raise UserError(f"{what} takes {bands} bands, and the range {chosen} is one of RGB: give input_range 0..1, say")
    teacher = saved_model(name, network, chosen, what, size, settings.outputs)
    if settings.class_names:
        _check_class_names(name, teacher.classes, settings)
    names = tuple(band for band in settings.bands if isinstance(band, str))
    positions = tuple(band - 1 for band in settings.bands if isinstance(band, int))
    class_names = settings.class_names or None
    is_keras = not isinstance(network, ForeignNetwork)
    return replace(
        teacher,
        bands=positions,
        band_names=names,
        class_names=class_names,
        is_foreign=True,
        file_sha256=file_digests.of(path) if is_keras else "",
    )


def _check_class_names(name: str, classes: int, settings: TeacherSettings) -> None:
    if len(settings.class_names) != classes:
        raise UserError(
            f"teacher {name} has {classes} outputs, and its settings name {len(settings.class_names)} classes: name "
            "the class of each output"
        )


def _input(shape: Any, settings: TeacherSettings, what: str) -> tuple[int, int]:
    """Size and number of bands of the images that a model gets."""
    wanted = len(settings.bands) or "bands"
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[1] != shape[2] or shape[3] is None:
        raise UserError(f"{what} has input shape {shape}: give a model with (None, size, size, {wanted})")
    if settings.bands and shape[3] != wanted:
        raise UserError(f"{what} takes {shape[3]} bands, and its settings name {wanted}: name the bands that it takes")
    if shape[1] is None and settings.input_size is None:
        raise UserError(
            f"{what} has input shape {shape}: give a model with (None, size, size, {wanted}), or state its input_size "
            "in a TOML file"
        )
    if shape[1] is not None and settings.input_size not in (None, shape[1]):
        raise UserError(f"{what} takes images of {shape[1]} pixels, and its input_size is {settings.input_size}")
    return int(shape[1] or settings.input_size or 0), int(shape[3])


def saved_model(
    name: str, network: Any, input_range: str, what: str, input_size: int | None = None, outputs: str = "auto"
) -> Teacher:
    """A teacher of a loaded model. Whether it gives probabilities is seen in its outputs for random images.

    Args:
        name: the `Teacher.name`.
        network: a Keras model of `tf_keras` or a `ForeignNetwork`; its input is [B, S, S, bands].
        input_range: one of `INPUT_RANGES`.
        what: names the model in messages.
        input_size: S; by default that of the network.
        outputs: `logits`, `probabilities`, or `auto`.

    Raises:
        UserError: its output is not one row of finite numbers for each image.
    """
    check_output(network.output_shape, what)
    _, size, _, bands = network.input_shape
    teacher = Teacher(name, network, input_size or size, input_range)
    shape = (8, teacher.input_size, teacher.input_size, bands)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    try:
        rows = teacher.logits(tf.constant(images)).numpy()
    except (tf.errors.OpError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{what} does not run on images of {teacher.input_size} pixels ({reason[:200]})") from None
    if rows.ndim != 2 or len(rows) != len(images):
        raise UserError(f"{what} gives {list(rows.shape)} for 8 images: give an image classifier, (batch, classes)")
    if not np.isfinite(rows).all():
        raise UserError(f"{what} gives NaN or infinity for random images: give a model that was trained without them")
    return replace(teacher, gives_probabilities=gives_probabilities(rows, outputs, what))


def check_output(shape: Any, what: str) -> None:
    """Check that a model's output has the shape [B, C].

    Raises:
        UserError: it has another shape, or there are several outputs; `what` names the model.
    """
    if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] is None:
        raise UserError(f"{what} has output shape {shape}: give an image classifier, (batch, classes)")
