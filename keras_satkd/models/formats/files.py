"""The file formats of trained networks: which one a path has, and how it is loaded."""

from pathlib import Path
from typing import Any

from firmware_export.tflite import convert, input_range, keras_inspection
from keras_satkd.models.formats import keras_3, onnx, saved_model, tflite
from keras_satkd.models.formats.foreign import ForeignNetwork

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
SUFFIXES = (*KERAS_SUFFIXES, ".onnx", ".tflite")


def is_saved_model(path: Path) -> bool:
    """Whether `path` is the folder of a SavedModel."""
    return (path / saved_model.FILE).is_file()


def load(path: Path, what: str, *, trust: bool = False) -> Any:
    """Load a network: a SavedModel, `.onnx`, `.tflite`, or a Keras model of `tf_keras` or Keras 3.

    Args:
        path: an existing file or folder.
        what: names the model in messages.
        trust: load a Keras model or SavedModel even if it can run code.

    Returns:
        A model of `tf_keras`, or a `ForeignNetwork`: images [B, S, S, bands] → [B, C].

    Raises:
        UserError: the file is damaged, could run code, or is not a network with one input and one output.
    """
    if is_saved_model(path):
        return saved_model.load(path, what, trust=trust)
    if path.suffix == ".onnx":
        return onnx.load(path, what)
    if path.suffix == ".tflite":
        return tflite.load(path, what)
    if keras_inspection.is_keras_3(path):
        return keras_3.load(path, what, trust=trust)
    return convert.load_keras(path, trust=trust)


def stated_range(network: Any) -> str | None:
    """The input range that a loaded network shows, one of `INPUT_RANGES`; None if it shows none."""
    found: str | None = network.input_range if isinstance(network, ForeignNetwork) else convert.stated_range(network)
    return found


def candidate_ranges(network: Any) -> tuple[str, ...]:
    """The input ranges that a loaded network may have been trained with: the one that it shows, or all."""
    return input_range.admitted(stated_range(network))
