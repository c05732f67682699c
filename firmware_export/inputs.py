"""Read what the export's command line names: a model, converted to int8 if it is a Keras model, and images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_export.common import defaults
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.images import load as images_of
from firmware_export.images.scaling import Scaling
from firmware_export.tflite import convert
from firmware_export.tflite import input_range as ranges
from firmware_export.verify import plausibility, verify
from firmware_export.verify.verify import LabelledImages

if TYPE_CHECKING:
    from firmware_export.cli import Arguments

_KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


_Given = tuple[np.ndarray | None, np.ndarray | None, LabelledImages | None]
"""Images, their labels, and labelled validation images."""


@dataclass(frozen=True)
class Given:
    """The model and images that the command line names."""

    model: bytes
    """An int8 `.tflite`."""
    images: np.ndarray | None
    labels: np.ndarray | None
    """The class of each of `images`, if known."""
    validation: LabelledImages | None
    keras_model: Any = None
    """To compare with, or None."""
    input_range: str | None = None
    """As stated; None: to be found from the model."""
    is_keras: bool = False
    """Whether `model` was converted from Keras."""


def load(arguments: "Arguments", class_names: tuple[str, ...], scaling: Scaling | None = None) -> Given:
    """Read the model and the images; a Keras model is converted to int8.

    Args:
        arguments: of the command line.
        class_names: in output order; may be empty.
        scaling: how samples become the model's pixels.

    Raises:
        UserError: a file is missing, damaged, or does not fit the others.
    """
    path, input_range = arguments.model, arguments.input_range
    if path.is_dir():
        raise UserError(
            f"model {str(path)!r} is a folder: give a .tflite file, or save the Keras model as .h5 or .keras"
        )
    if not path.is_file():
        raise UserError(f"model {str(path)!r} not found: give a .tflite, .h5 or .keras file")
    if input_range is not None:
        ranges.check(input_range)
    if path.suffix in _KERAS_SUFFIXES:
        return _load_keras(arguments, class_names, scaling)
    model = path.read_bytes()
    needs_rows = Engine(arguments.engine).has_rows
    graph = verify.read(model, path.name, input_range=input_range, needs_rows=needs_rows).graph
    images = _images(arguments, graph.input_shape, class_names, graph.outputs[0].size, scaling)
    keras_model = None if arguments.keras is None else convert.load_keras(arguments.keras, trust=arguments.trust_model)
    return Given(model, *images, keras_model, input_range)


def _load_keras(arguments: "Arguments", class_names: tuple[str, ...], scaling: Scaling | None) -> Given:
    if arguments.keras is not None:
        raise UserError(f"--keras {str(arguments.keras)!r} is only for a .tflite MODEL: leave it out")
    model = convert.load_keras(arguments.model, trust=arguments.trust_model)
    convert.check_input(model)
    given = _images(arguments, model.input_shape[1:], class_names, model.output_shape[-1], scaling)
    stated = convert.stated_range(model)
    input_range = arguments.input_range or stated or ranges.DEFAULT
    if convert.is_quantization_aware(model):
        return Given(convert.quantized_aware_to_int8(model, input_range), *given, model, input_range, is_keras=True)
    if given[0] is None:
        raise UserError(f"{arguments.model.name} is a float model: give --images to calibrate it")
    _check_keras_range(model, given, input_range, ranges.admitted(stated))
    return Given(convert.float_to_int8(model, given[0], input_range), *given, None, input_range, is_keras=True)


def _check_keras_range(model: Any, given: _Given, input_range: str, candidates: Sequence[str]) -> None:
    """An int8 copy has the range that it is given, so labelled images are asked before it is made."""

    def answers_of(images: np.ndarray, name: str) -> np.ndarray:
        outputs = np.asarray(model(ranges.normalized(images, name), training=False))
        return np.asarray(outputs.reshape(len(images), -1).argmax(axis=1))

    images, labels, validation = given
    for few, known in ((images, labels), validation or (None, None)):
        if few is not None and known is not None:
            plausibility.check_input(f"Keras model {model.name}", answers_of, few, known, input_range, candidates)


def _images(
    arguments: "Arguments",
    shape: tuple[int, ...],
    class_names: tuple[str, ...],
    outputs: int,
    scaling: Scaling | None,
) -> _Given:
    path, labelled, images, labels = arguments.images, arguments.validation, None, None
    if path is not None:
        images, labels = images_of.load_images_and_labels(
            path, tuple(shape), defaults.LEAST_IMAGES, class_names, outputs, scaling
        )
    validation = None
    if labelled is not None:
        validation = images_of.load_labelled(labelled, tuple(shape), class_names, outputs, scaling)
    return images, labels, validation
