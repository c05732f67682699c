"""ONNX models, run by ONNX Runtime on the CPU. They contain no code; all operators are those of ONNX Runtime."""

import glob
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.common.errors import UserError
from keras_satkd.models.formats.foreign import ForeignNetwork, Shape, digest, layout, one_line, only, outside_graph

INSTALL = 'pip install "keras_satkd[onnx]"'

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_ERRORS_ONLY = 3


def load(path: Path, what: str) -> ForeignNetwork:
    """Load an ONNX model.

    Args:
        path: a `.onnx` file; files beside it whose names begin with its name hold its weights (`my.onnx.data`).
        what: names the model in messages.

    Raises:
        UserError: ONNX Runtime is not installed or refuses the file, or it is not a network with one input of images
            and one output.
    """
    session = _session(path, what)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    name = only(what, "input", [each.name for each in inputs])
    output = only(what, "output", [each.name for each in outputs])
    if inputs[0].type not in _TYPES:
        raise UserError(f"{what} has an input of type {inputs[0].type}: give a model with float images")
    found, dtype = layout(what, _shape(inputs[0].shape)), _TYPES[inputs[0].type]

    def compute(images: np.ndarray) -> np.ndarray:
        try:
            result: np.ndarray = session.run([output], {name: images.astype(dtype)})[0]
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            raise UserError(
                f"{what} does not run on {list(images.shape)} ({one_line(error)}): export it again"
            ) from None
        return result

    output_shape = _shape(outputs[0].shape)
    # Some exporters state no shape of the output, or only its rank.
    if len(output_shape) != 2 or output_shape[1] is None:
        output_shape = _measured(compute, found.arranged(np.zeros((1, *_concrete(found.input_shape)), np.float32)))
    sha256, size = digest([Path(each) for each in sorted(glob.glob(f"{glob.escape(str(path))}*"))])
    classes = output_shape[1] if len(output_shape) == 2 else None
    return ForeignNetwork(
        outside_graph(compute, found, classes), found.input_shape, (None, *output_shape[1:]), sha256, size
    )


def _session(path: Path, what: str) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise UserError(f"{what} needs ONNX Runtime, which is not installed: {INSTALL}") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise UserError(f"{what} does not load as an ONNX model ({one_line(error)}): export it again") from None


def _shape(given: Any) -> Shape:
    """A shape of ONNX Runtime, with None for sizes that have only a name."""
    return tuple(size if isinstance(size, int) else None for size in given or ())


def _concrete(input_shape: Shape) -> tuple[int, ...]:
    return tuple(size or 224 for size in input_shape[1:])


def _measured(compute: Any, images: np.ndarray) -> Shape:
    return (None, *compute(images).shape[1:])
