"""Loading of trained models: int8 `.tflite`, saved Keras models, teacher folders.

classifier = load("runs/eurosat/student_int8.tflite")
classifier.logits(images)  # uint8 [N, S, S, 3] → float32 [N, C]
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.common.files import read_text
from firmware_export.images.scaling import Scaling, from_dict
from firmware_export.images.scaling import load as load_scaling
from firmware_export.output.folder import REPORT_FILE as EXPORT_FILE
from firmware_export.tflite.convert import load_keras, stated_range
from firmware_export.tflite.input_range import DEFAULT
from firmware_export.tflite.interpreters import predict_int8
from firmware_export.tflite.model import Model
from firmware_export.tflite.reader import check_deployable, read
from keras_satkd.config import DataConfig
from keras_satkd.data.reading import rgb_of
from keras_satkd.evaluation.metrics import predict
from keras_satkd.models import bands, pretrained, teachers
from keras_satkd.models.teachers import Teacher
from keras_satkd.run.artifacts import FIRMWARE_FOLDER, SCALING_FILE
from keras_satkd.run.results import CLASS_NAMES
from keras_satkd.run.results_file import FILE as RESULTS_FILE

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


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
        channels: of the images; 3 is RGB unless `scaling` or `band_names` say otherwise.
        scaling: how samples become the images that it was trained on; None if its files do not say.
        band_names: the bands of a teacher in its order; empty if its files do not name them.
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
    band_names: tuple[str, ...] = ()


def load(path: str, input_range: str | None = None, image_size: int = 64, *, trust: bool = False) -> Classifier:
    """Load a model from disk.

    Its class names are the list `class_names` in a JSON file of the same name beside it (`student.json` for
    `student.keras`) or in a teacher folder's `teacher.json`, or those of the run whose folder contains it.

    Args:
        path: an int8 `.tflite`, a Keras model (`.keras`, `.h5`), quantization-aware or not, a folder that
            `keras_satkd.teach` wrote, or the name of a shipped one of these.
        input_range: one of `input_range.INPUT_RANGES`, the one that a Keras or int8 model expects; None: found from the
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
    codes, scaling = None, scaling_of(file)
    band_names: tuple[str, ...] = ()
    if file.is_dir():
        teacher = teachers.load(path, input_range or DEFAULT, trust=trust)
        channels, band_names = teacher.channels, teacher.band_names
        if scaling is not None:
            found = scaling.bands.names
            teacher, channels = bands.select(teacher, found, rgb_of(found, DataConfig())), len(found)
        size, classes, logits = image_size, teacher.classes, _teacher_logits(teacher)
    elif file.suffix == ".tflite":
        model = _read_int8(file, input_range)
        (_, size, _, channels), (_, classes) = model.graph.inputs[0].shape, model.graph.outputs[0].shape
        logits, codes = partial(int8_logits, model), partial(predict_int8, model)
    elif file.suffix in KERAS_SUFFIXES:
        teacher = _load_keras(file, input_range, trust)
        size, classes, logits = teacher.input_size, teacher.classes, _teacher_logits(teacher)
        channels = teacher.channels
    else:
        raise UserError(
            f"model {path!r} has an unknown file format: give a .tflite, .keras or .h5 file, or a teacher folder"
        )
    names, threshold = _class_names(file, classes), None if codes is None else abstention_threshold(file)
    return Classifier(
        file.resolve().name, size, classes, names, logits, codes, threshold, channels, scaling, band_names
    )


def scaling_of(file: Path) -> Scaling | None:
    """The scaling of the images that a model was trained on; None if it was trained on 8-bit pictures.

    It is `scaling` in a JSON file of the same name beside the model, or the `scaling.json` of the run whose folder
    contains it.

    Raises:
        UserError: one of these files is not readable.
    """
    described = _json_beside(file.with_suffix(".json"))
    if "scaling" in described:
        return from_dict(described["scaling"], str(file.with_suffix(".json")))
    run = file.resolve().parents[1] if file.is_dir() else file.parent
    return load_scaling(run / SCALING_FILE) if (run / SCALING_FILE).is_file() else None


def _teacher_logits(teacher: Teacher) -> Callable[[np.ndarray], np.ndarray]:
    network = tf.function(teacher.logits, reduce_retracing=True)
    return lambda images: predict(network, images, teacher.name)


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


def abstention_threshold(file: Path) -> int | None:
    """The threshold that was chosen on validation images for an int8 model, in output codes; None if there is none.

    It is `least_margin` in a JSON file of the same name beside the model, or in the export of the run whose folder
    contains the model.

    Raises:
        UserError: one of these files is not readable.
    """
    described = _json_beside(file.with_suffix(".json"))
    if "least_margin" in described:
        margin = described["least_margin"]
        if not isinstance(margin, int) or not 0 <= margin <= 255:
            raise UserError(f"least_margin in {file.with_suffix('.json')} is {margin!r}: give an integer from 0 to 255")
        return margin
    exported = _json_beside(file.parent / FIRMWARE_FOLDER / EXPORT_FILE)
    is_of_this_model = exported.get("given_sha256") == hashlib.sha256(file.read_bytes()).hexdigest()
    # Without labelled validation images, an export states 0, but none was chosen.
    if not is_of_this_model or "error_rate" not in exported.get("unsure", {}):
        return None
    return int(exported["unsure"]["least_margin"])


def _json_beside(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if the file does not exist or contains something else."""
    if not path.is_file():
        return {}
    try:
        values = json.loads(read_text(path))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not readable JSON ({error}): repair or remove it") from None
    return values if isinstance(values, dict) else {}


def _class_names(file: Path, classes: int) -> tuple[str, ...] | None:
    keys: tuple[str, ...]
    if file.is_dir():
        beside, keys = file / teachers.DESCRIPTION_FILE, ("class_names",)
    elif file.with_suffix(".json").is_file():
        beside, keys = file.with_suffix(".json"), ("class_names",)
    else:
        beside, keys = file.parent / RESULTS_FILE, CLASS_NAMES
    names: Any = _json_beside(beside)
    for key in keys:
        if not isinstance(names, dict) or key not in names:
            return None
        names = names[key]
    if not _is_list_of_names(names) or len(names) != classes:
        raise UserError(
            f"{keys[-1]} in {beside} is {names!r}: give a list of {classes} different names, or remove the file"
        )
    return tuple(names)


def _is_list_of_names(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
