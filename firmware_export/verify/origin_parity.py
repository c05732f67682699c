"""Compare a normalized copy with the file that it was made from, in TFLite's reference kernels."""

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.steps import step
from firmware_export.tflite import interpreters
from firmware_export.tflite.graph import Tensor
from firmware_export.tflite.interpreters import TfliteInterpreter
from firmware_export.tflite.model import Model


@step("comparing the normalized copy with its file")
def check_origin(model: Model, codes: np.ndarray) -> None:
    """Check that the file computes the copy's outputs, and nothing if `model` is the file or ships it unchanged.

    Args:
        model: as `reader.read` returns it.
        codes: int8 [N, …], input codes of the copy.

    Raises:
        UserError: an output differs.
    """
    if model.origin is None or model.origin.runs_unchanged:
        return
    given = model.given
    copy, whole = (TfliteInterpreter(each, is_reference=True) for each in (model, given))
    for index, image in enumerate(codes):
        parts = zip(given.graph.inputs, interpreters.inputs_of(image[np.newaxis], model.graph), strict=True)
        fed = {end.index: as_fed(part, core, end) for (end, part), core in zip(parts, model.graph.inputs, strict=True)}
        copy.invoke(image[np.newaxis])
        whole.invoke_with(fed)
        for core, end in zip(model.graph.outputs, given.graph.outputs, strict=True):
            expected, found = (_real(each.tensor(t.index), t) for each, t in ((whole, end), (copy, core)))
            if np.abs(expected - found).max(initial=0) > _tolerance(core, end):
                raise UserError(
                    f"{model.name}: output {end.name[:80]!r} of the file and of its normalized copy differ for image "
                    f"{index}: convert the model with int8 ends (inference_input_type = inference_output_type = "
                    "tf.int8), and report this defect with the model"
                )


def as_fed(codes: np.ndarray, core: Tensor, end: Tensor) -> np.ndarray:
    """What to feed the file's input so that its int8 core gets the codes.

    Args:
        codes: int8, of `core`.
        core: the copy's input.
        end: the file's input: float32, uint8 or int8.
    """
    if end.dtype == "int8":
        return codes
    values = _real(codes, core)
    if end.dtype == "uint8":
        return np.clip(np.round(values / end.scale) + end.zero_point, 0, 255).astype(np.uint8)
    return values.astype(end.dtype)


def _real(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """The real values of codes; floats are real already."""
    if tensor.dtype == "float32":
        return values.astype(np.float64)
    return (values.astype(np.float64) - tensor.zero_point) * tensor.scale


def _tolerance(core: Tensor, end: Tensor) -> float:
    """Half a step of the coarser of the two."""
    return max(core.scale, end.scale if end.scales else 0.0) / 2 + 1e-9
