"""Loading of trained models: int8 `.tflite`, saved Keras models, teacher folders.

classifier = load("runs/eurosat/student_int8.tflite")
classifier.logits(images)  # uint8 [N, S, S, 3] → float32 [N, C]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.images.scaling import Scaling
from firmware_export.tflite import keras_inspection
from firmware_export.tflite.convert import load_keras, stated_range
from firmware_export.tflite.input_range import DEFAULT
from firmware_export.tflite.interpreters import predict_int8
from firmware_export.tflite.model import Model
from firmware_export.tflite.reader import check_deployable, read
from keras_satkd.data.reading import rgb_of
from keras_satkd.evaluation import model_facts
from keras_satkd.evaluation.metrics import predict
from keras_satkd.models import bands, pretrained, teachers
from keras_satkd.models.formats import files
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.models.teacher import Teacher
from keras_satkd.settings.data_config import DataConfig

_OTHER_SUFFIXES = (".onnx", ".toml")


@dataclass(frozen=True)
class Classifier:
    """A trained model of any file format.

    Attributes:
        name: name of its file or folder.
        image_size: height and width in pixels of the images that `logits` takes.
        classes: number of logits.
        class_names: the classes in the order of the logits; None if the model's files do not name them.
        logits: uint8 [N, image_size, image_size, channels] in 0..255, N ≥ 1 → float32 [N, classes].
        codes: the same images → int8 [N, classes], the output codes; None if the model is not an int8 model.
        threshold: abstention threshold in output codes; None if none was chosen for this model.
        channels: of the images.
        scaling: how samples become the images that it was trained on; None if its files do not say.
        differentiable: float32 [N, image_size, image_size, channels] in 0..255 → logits, through which gradients flow;
            None if the model has none.
        teacher: the model, if it chooses its own channels of the images; None if it takes them as they are.
        input_range: one of `INPUT_RANGES`, with which the model is fed.
        ranges: those that it may have been trained with, as far as its file shows.
        with_range: `logits` of the same model fed with another range.
    """

    name: str
    image_size: int
    classes: int
    class_names: tuple[str, ...] | None
    logits: Callable[[np.ndarray], np.ndarray]
    codes: Callable[[np.ndarray], np.ndarray] | None = None
    threshold: int | None = None
    channels: int = 3
    scaling: Scaling | None = None
    differentiable: Callable[[tf.Tensor], tf.Tensor] | None = None
    teacher: Teacher | None = None
    input_range: str = DEFAULT
    ranges: tuple[str, ...] = ()
    with_range: Callable[[str], Callable[[np.ndarray], np.ndarray]] | None = None

    def check_outputs(self) -> None:
        """Check that the model has an output for each class.

        Raises:
            UserError: it has one output.
        """
        if self.classes == 1:
            raise UserError(f"model {self.name} has one output: end it in an output for each class, with a softmax")

    @property
    def own_bands(self) -> tuple[str, ...]:
        """The bands of the files to read, by number from 1; empty if all that they have."""
        if self.scaling is None:
            return ()
        positions = self.scaling.bands.positions
        is_all = positions == tuple(range(self.scaling.bands.of)) or len(set(positions)) < len(positions)
        return () if is_all else tuple(str(position + 1) for position in positions)

    def for_bands(self, names: Sequence[str], rgb: tuple[int, int, int] | None) -> "Classifier":
        """The model for images with these channels: a teacher sees its own bands of them.

        Args:
            names: of the channels.
            rgb: the channels that are red, green and blue; None if they are not known.

        Raises:
            UserError: the images lack bands of the model, or have another number of channels than it takes.
        """
        if self.teacher is not None:
            teacher = bands.select(self.teacher, names, rgb)
            assert isinstance(teacher, Teacher)
            return replace(self, channels=len(names), **_of_teacher(teacher))
        if self.channels != len(names):
            raise UserError(
                f"model {self.name} takes images of {self.channels} channels, these have {len(names)} "
                f"({', '.join(names)}): choose the model's bands with --data.bands"
            )
        return self


def load(path: str, input_range: str | None = None, image_size: int = 64, *, trust: bool = False) -> Classifier:
    """Load a model from disk.

    Its class names are the list `class_names` in a JSON file of the same name beside it (`student.json` for
    `student.keras`) or in a teacher folder's `teacher.json`, or those of the run whose folder contains it.

    Args:
        path: an int8 `.tflite`, a Keras model (`.keras`, `.h5`), quantization-aware or not, another model that
            `teachers.load` takes, a folder that `keras_satkd.teach` wrote, or the name of a shipped one of these.
        input_range: one of `INPUT_RANGES`, the one that a Keras or int8 model expects; None: found from the
            model, and 0..1 for a Keras model without a Rescaling layer. A teacher folder defines its own.
        image_size: height and width in pixels of the images for a teacher folder, which resizes them itself; other
            models take images of their own input size.
        trust: load a Keras model even if it can run code.

    Raises:
        UserError: the file does not exist, is damaged, is not a classifier of square images, or its number of class
            names differs from its number of logits.
    """
    file = pretrained.path(path)
    if not file.exists():
        raise UserError(f"model {path!r} does not exist: give a .tflite, .keras or .h5 file, or a teacher folder")
    if file.is_file():
        digests.check_described(file)
    name, scaling = file.resolve().name, model_facts.scaling(file)
    if file.suffix == ".tflite":
        model = _read_int8(file, input_range)
        (_, size, _, channels), (_, classes) = model.graph.inputs[0].shape, model.graph.outputs[0].shape
        return Classifier(
            name,
            size,
            classes,
            model_facts.class_names(file, classes),
            partial(int8_logits, model),
            partial(predict_int8, model),
            model_facts.abstention_threshold(file),
            channels,
            scaling,
            input_range=model.graph.input_range or DEFAULT,
            ranges=model.graph.candidate_ranges,
            with_range=lambda name: partial(int8_logits, model.with_range(name)),
        )
    teacher = _load_float(file, path, input_range, trust)
    is_folder = model_facts.is_teacher_folder(file)
    size, names = image_size if is_folder else teacher.input_size, model_facts.class_names(file, teacher.classes)
    found = Classifier(
        name,
        size,
        teacher.classes,
        teacher.class_names or names,
        channels=teacher.channels,
        scaling=scaling,
        teacher=None if _may_be_student(file) else teacher,
        input_range=teacher.input_range,
        ranges=() if is_folder else files.candidate_ranges(teacher.network),
        **_of_teacher(teacher),
    )
    if input_range not in (None, teacher.input_range):
        raise UserError(
            f"--input-range {input_range} has no effect on {path!r}, whose files state its range: leave it out"
        )
    if scaling is None or not is_folder:
        return found
    return found.for_bands(scaling.bands.names, rgb_of(scaling.bands.names, DataConfig()))


def _may_be_student(file: Path) -> bool:
    """Whether a float model may be a student, which takes the images as they are."""
    return file.suffix in files.KERAS_SUFFIXES and not keras_inspection.is_keras_3(file)


def _of_teacher(teacher: Teacher) -> dict[str, Any]:
    """The fields of a classifier that depend on the bands that a teacher sees."""
    return {
        "logits": _teacher_logits(teacher),
        "differentiable": _differentiable(teacher),
        "with_range": lambda name: _teacher_logits(replace(teacher, input_range=name)),
    }


def _teacher_logits(teacher: Teacher) -> Callable[[np.ndarray], np.ndarray]:
    network = tf.function(teacher.logits, reduce_retracing=True)
    return lambda images: predict(network, images, teacher.name)


def _differentiable(teacher: Teacher) -> Callable[[tf.Tensor], tf.Tensor] | None:
    return teacher.differentiable_logits if isinstance(teacher.network, tf_keras.Model) else None


def _load_float(file: Path, path: str, input_range: str | None, trust: bool) -> Teacher:
    if _may_be_student(file):
        return _load_keras(file, input_range, trust)
    if not (file.is_dir() or file.suffix in (*files.KERAS_SUFFIXES, *_OTHER_SUFFIXES)):
        raise UserError(
            f"model {path!r} has an unknown file format: give a .tflite, .keras, .h5 or .onnx file, a SavedModel, a "
            "teacher folder, or a teacher's .toml file"
        )
    teacher = teachers.load(path, input_range or DEFAULT, trust=trust)
    if isinstance(teacher, StoredLogits):
        raise UserError(f"model {path!r} holds the logits of fixed images: give a model that can be run")
    return teacher


def _load_keras(file: Path, input_range: str | None, trust: bool) -> Teacher:
    network = load_keras(file, trust=trust)
    _check_input(file, network.input_shape)
    expected = input_range or stated_range(network) or DEFAULT
    return teachers.saved_model(file.name, network, expected, f"model {file}")


def _read_int8(file: Path, input_range: str | None) -> Model:
    model = read(file.read_bytes(), file.name).with_range(input_range)
    graph = model.graph
    check_deployable(graph)
    if not graph.has_one_end_each:
        raise UserError(
            f"model {file} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs: give an image classifier"
        )
    inputs, outputs = graph.inputs[0].shape, graph.outputs[0].shape
    _check_input(file, inputs)
    teachers.check_output(outputs, f"model {file}")
    return model


def _check_input(file: Path, inputs: Any) -> None:
    is_square = isinstance(inputs, tuple) and len(inputs) == 4 and inputs[1] == inputs[2]
    if not is_square or None in inputs[1:]:
        raise UserError(
            f"model {file} has input shape {inputs}: give a model of square images, (batch, size, size, bands)"
        )


def int8_logits(model: bytes | Model, images: np.ndarray) -> np.ndarray:
    """Dequantized logits of an int8 `.tflite`, computed by TFLite's kernels.

    TFLM would need 44 ms per image; the export verifies that both agree.

    Args:
        model: the bytes of the file, or the model that `reader.read` made of them.
        images: uint8 [N, H, W, channels], N ≥ 1.

    Returns:
        float32 [N, C]. If the model ends in a softmax, the logarithm of its output; probabilities below half a step of
        the output, which int8 cannot distinguish from zero, count as half a step.
    """
    parsed = read(model) if isinstance(model, bytes) else model
    graph, output = parsed.graph, parsed.graph.outputs[0]
    values = (predict_int8(parsed, images).astype(np.float32) - output.zero_point) * np.float32(output.scale)
    if graph.operators[-1].name != "SOFTMAX":
        return values
    logits: np.ndarray = np.log(np.maximum(values, np.float32(output.scale / 2)))
    return logits
