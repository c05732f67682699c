"""Teachers: input normalization, saving and loading."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from firmware_export.common import digests as file_digests
from firmware_export.common.errors import UserError, unknown_name
from firmware_export.common.files import read_text, write_with
from firmware_export.tflite import keras_inspection
from firmware_export.tflite.convert import load_keras
from firmware_export.tflite.input_range import of_channels
from keras_satkd.models import pretrained, teacher_zoo
from keras_satkd.run import artifacts

WEIGHTS_FILE = artifacts.TEACHER_WEIGHTS_FILE
DESCRIPTION_FILE = artifacts.TEACHER_DESCRIPTION_FILE
SAVED_MODEL_FILE = "saved_model.pb"
"""In the folder of a TensorFlow SavedModel."""


@dataclass(frozen=True)
class Teacher:
    """A frozen network with its input size and range.

    Attributes:
        name: unique among the teachers of a run.
        network: [B, input_size, input_size, N] → [B, C].
        input_size: height and width in pixels.
        input_range: one of `input_range.INPUT_RANGES`.
        gives_probabilities: whether its outputs are probabilities; `logits` then takes the logarithm.
        class_names: the classes in the order of the logits; None if its files do not name them.
        bands: positions of the images' channels that it gets, in its order; empty for all of them.
        band_names: names of the bands that it was trained on; empty if its files do not name them: RGB, if they are 3.
    """

    name: str
    network: tf_keras.Model
    input_size: int
    input_range: str
    gives_probabilities: bool = False
    class_names: tuple[str, ...] | None = None
    bands: tuple[int, ...] = ()
    band_names: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """N, the channels of its network."""
        return int(self.network.input_shape[-1])

    @property
    def classes(self) -> int:
        """Number of logits."""
        return int(self.network.output_shape[-1])

    def digest(self) -> str:
        """SHA-256 of everything that affects its logits, 64 hexadecimal digits."""
        digest = hashlib.sha256(f"{self.input_size} {self.input_range} {self.gives_probabilities}".encode())
        if self.bands:
            digest.update(str(self.bands).encode())
        for weights in self.network.weights:
            digest.update(str(weights.shape).encode())
            digest.update(np.ascontiguousarray(weights.numpy()).data)
        return digest.hexdigest()

    def normalize(self, images: tf.Tensor) -> tf.Tensor:
        """Images [B, H, W, C] in 0..255 → float32 [B, input_size, input_size, N] in the network's input range."""
        mean, deviation = of_channels(self.input_range, self.channels)
        if self.bands:
            images = tf.gather(images, self.bands, axis=-1)
        images = tf.cast(images, tf.float32)
        if images.shape[1:3] != (self.input_size, self.input_size):
            # Enlarging needs no antialiasing, and XLA has no kernel for it.
            shrinks = None in images.shape[1:3] or max(images.shape[1:3]) > self.input_size
            images = tf.image.resize(images, (self.input_size, self.input_size), antialias=shrinks)
        return (images - tf.constant(mean)) / tf.constant(deviation)

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        """Images [B, H, W, any channels] in 0..255 → float32 logits [B, C], in inference mode, without gradient."""
        outputs = tf.stop_gradient(tf.cast(self.network(self.normalize(images), training=False), tf.float32))
        # log softmax(z) differs from z by one constant per row, which does not change the softmax.
        return tf.math.log(tf.maximum(outputs, 1e-12)) if self.gives_probabilities else outputs


def digests(found: Sequence[Teacher]) -> dict[str, str]:
    """The digest of each teacher, by name."""
    return {teacher.name: teacher.digest() for teacher in found}


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


def load(specification: str, saved_model_input: str = "0..1", *, trust: bool = False) -> Teacher:
    """A trained teacher: a folder that `save` wrote, a shipped one, or any saved Keras model (`.keras`, `.h5`).

    Args:
        specification: path, or the name of a shipped teacher.
        saved_model_input: one of `input_range.INPUT_RANGES`, the one that a saved Keras model expects; a folder defines
            its own.
        trust: load a saved Keras model even if it can run code.

    Raises:
        UserError: the file is damaged, contains other weights, could run code, or is not an image classifier with a
            square RGB input.
    """
    path = pretrained.path(specification)
    if path.is_dir() and not (path / SAVED_MODEL_FILE).exists():
        return _load_folder(path)
    return _load_model(path, saved_model_input, trust)


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


def _load_model(path: Path, input_range: str, trust: bool) -> Teacher:
    if path.is_file():
        file_digests.check_described(path)
    network = load_keras(path, trust=trust)
    shape = network.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[1] != shape[2] or None in shape[1:]:
        raise UserError(f"teacher {path} has input shape {shape}: give a model with (None, size, size, bands)")
    return saved_model(path.stem, network, input_range, f"teacher {path}")


def saved_model(name: str, network: tf_keras.Model, input_range: str, what: str) -> Teacher:
    """A teacher of a loaded Keras model. Whether it gives probabilities is seen in its outputs for random images.

    Args:
        name: the `Teacher.name`.
        network: its input is [B, S, S, N].
        input_range: one of `input_range.INPUT_RANGES`.
        what: names the model in messages.

    Raises:
        UserError: its output is not one row of finite numbers for each image.
    """
    check_output(network.output_shape, what)
    teacher = Teacher(name, network, network.input_shape[1], input_range)
    images = np.random.default_rng(0).integers(0, 256, (8, *network.input_shape[1:]), np.uint8)
    rows = teacher.logits(tf.constant(images)).numpy()
    if not np.isfinite(rows).all():
        raise UserError(f"{what} gives NaN or infinity for random images: give a model that was trained without them")
    # bfloat16 keeps 8 bits of each probability.
    is_probable = bool((rows >= 0).all() and np.abs(rows.sum(axis=1) - 1).max() < 0.01)
    return replace(teacher, gives_probabilities=is_probable)


def check_output(shape: Any, what: str) -> None:
    """Check that a model's output has the shape [B, C].

    Raises:
        UserError: it has another shape, or there are several outputs; `what` names the model.
    """
    if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] is None:
        raise UserError(f"{what} has output shape {shape}: give an image classifier, (batch, classes)")


def check_classes(teacher: Teacher, class_names: Sequence[str]) -> None:
    """Check that a teacher was trained on these classes, in this order.

    Raises:
        UserError: its number of logits differs from the number of `class_names`, or its own class names differ.
    """
    remedy = "fine-tune it on this data with `python -m keras_satkd.teach`"
    if teacher.classes != len(class_names):
        raise UserError(
            f"teacher {teacher.name} has {teacher.classes} classes, the data has {len(class_names)}: {remedy}"
        )
    for known, found in zip(teacher.class_names or class_names, class_names, strict=True):
        if known != found:
            raise UserError(f"teacher {teacher.name} has class {known!r} where the data has {found!r}: {remedy}")
