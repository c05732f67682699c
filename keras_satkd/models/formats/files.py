"""The file formats of trained networks: which one a path has, and how it is loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_export.tflite import keras_inspection
from firmware_export.tflite.convert import load_keras
from keras_satkd.models.formats import keras_3, onnx, saved_model, tflite

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


@dataclass(frozen=True)
class Loaded:
    """A trained network.

    Attributes:
        network: a model of `tf_keras`, or a `ForeignNetwork`: images [B, S, S, bands] → [B, C].
        input_range: one of `INPUT_RANGES` that its file shows; None if it shows none.
    """

    network: Any
    input_range: str | None = None


def is_saved_model(path: Path) -> bool:
    """Whether `path` is the folder of a SavedModel."""
    return (path / saved_model.FILE).is_file()


def load(path: Path, what: str, *, trust: bool = False) -> Loaded:
    """Load a network: a SavedModel, `.onnx`, `.tflite`, or a Keras model of `tf_keras` or Keras 3.

    Args:
        path: an existing file or folder.
        what: names the model in messages.
        trust: load a Keras model or SavedModel even if it can run code.

    Raises:
        UserError: the file is damaged, could run code, or is not a network with one input and one output.
    """
    if is_saved_model(path):
        return Loaded(saved_model.load(path, what, trust=trust))
    if path.suffix == ".onnx":
        return Loaded(onnx.load(path, what))
    if path.suffix == ".tflite":
        return Loaded(*tflite.load(path, what))
    if keras_inspection.is_keras_3(path):
        return Loaded(keras_3.load(path, what, trust=trust))
    return Loaded(load_keras(path, trust=trust))
