"""`.tflite` models, float or quantized, run by TFLite's default kernels, one image after the other."""

from pathlib import Path

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.tflite import reader
from firmware_export.tflite.graph import Tensor
from firmware_export.tflite.interpreters import TfliteInterpreter
from keras_satkd.models.formats.foreign import ForeignNetwork, digest, layout, only, outside_graph


def load(path: Path, what: str) -> ForeignNetwork:
    """Load a `.tflite` model. The quantization of its input shows its range.

    Args:
        path: the file.
        what: names the model in messages.

    Raises:
        UserError: the file is damaged, or not a network with one input of images and one output.
    """
    model = reader.read(path.read_bytes(), what)
    graph = model.graph
    only(what, "input", [tensor.name for tensor in graph.inputs])
    only(what, "output", [tensor.name for tensor in graph.outputs])
    given, made = graph.inputs[0], graph.outputs[0]
    found = layout(what, (1, *given.shape[1:]))
    interpreter = TfliteInterpreter(model, is_reference=False)

    def compute(images: np.ndarray) -> np.ndarray:
        return _values(interpreter.invoke_with({given.index: _codes(images, given, what)}), made, what)

    sha256, size = digest([path])
    return ForeignNetwork(
        outside_graph(compute, found, made.shape[-1] if len(made.shape) == 2 else None),
        found.input_shape,
        (None, *made.shape[1:]),
        sha256,
        size,
        graph.parameters,
        graph.input_range if given.scales else None,
    )


_SOFTMAX_SCALE = np.float32(1 / 256)
"""Scale of the outputs of a quantized softmax, by TensorFlow Lite's specification."""


def _codes(images: np.ndarray, tensor: Tensor, what: str) -> np.ndarray:
    dtype = _dtype(tensor, what)
    if dtype.kind == "f":
        return images.astype(dtype)
    limits = np.iinfo(dtype)
    codes: np.ndarray = np.clip(np.round(images / tensor.scale) + tensor.zero_point, limits.min, limits.max)
    return codes.astype(dtype)


def _values(outputs: np.ndarray, tensor: Tensor, what: str) -> np.ndarray:
    if _dtype(tensor, what).kind == "f":
        return outputs
    scale, least = np.float32(tensor.scale), np.iinfo(outputs.dtype).min
    values: np.ndarray = (outputs.astype(np.float32) - tensor.zero_point) * scale
    is_softmax = scale == _SOFTMAX_SCALE and tensor.zero_point == least
    # Probabilities below half a step cannot be told from zero, whose logarithm would be far too low.
    return np.maximum(values, scale / 2) if is_softmax else values


def _dtype(tensor: Tensor, what: str) -> np.dtype:
    dtype = np.dtype(tensor.dtype)
    if dtype.kind != "f" and not tensor.scales:
        raise UserError(f"{what}: {tensor.name!r} is {tensor.dtype} without a scale: give a model with float images")
    return dtype
