"""Compare TFLite's reference kernels with TensorFlow Lite Micro, tensor by tensor."""

from dataclasses import dataclass, field

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.steps import step
from firmware_export.tflite import interpreters
from firmware_export.tflite.cut import Piece, cut_after
from firmware_export.tflite.graph import Operator
from firmware_export.tflite.interpreters import Progress, TfliteInterpreter, TflmInterpreter
from firmware_export.tflite.model import Model

ONE_STEP_OPERATORS = frozenset({"FULLY_CONNECTED"})
"""Since TensorFlow 2.20, TFLite's reference FULLY_CONNECTED requantizes in float (tensorflow #119412, LiteRT #8567), so
a tie may round differently. TFLM computes in integers."""


@dataclass
class TensorParity:
    """Differences of one operator's output over all images."""

    operator: str
    tensor: str
    elements: int = 0
    differing: int = 0
    largest_difference: int = 0
    allowed_difference: int = 0


@dataclass(frozen=True)
class KernelParity:
    """The result of the comparison."""

    images: int
    tensors: list[TensorParity]
    outputs: np.ndarray = field(repr=False)
    """int8 [N, …]: TFLM's outputs."""


@step("comparing every tensor on every image")
def check_kernels(model: Model, codes: np.ndarray, progress: Progress | None = None) -> KernelParity:
    """Compare every operator's output, bit for bit, on every image.

    A FULLY_CONNECTED output may differ by one step. To keep this difference out of later layers, the reference kernels
    continue from TFLM's values after each FULLY_CONNECTED.

    Args:
        model: int8, with batch 1 and without a memory plan.
        codes: int8 [N, …input shape without the batch].
        progress: called after every image.

    Raises:
        UserError: a tensor differs; the message names the first operator with a difference.
    """
    graph = model.graph
    micro = TflmInterpreter(model, keeps_tensors=True)
    pieces = [(piece, TfliteInterpreter(piece.model, is_reference=True)) for piece in _pieces(model)]
    parities = {o.index: TensorParity(o.name, o.outputs[0].name) for o in graph.operators}
    outputs = []
    for done, image in enumerate(codes, start=1):
        outputs.append(micro.invoke(image[np.newaxis])[0])
        # TFLM's planner may reuse the inputs' memory, so the pieces get the image itself.
        parts = interpreters.inputs_of(image[np.newaxis], graph)
        given = {tensor.index: part for tensor, part in zip(graph.inputs, parts, strict=True)}
        for piece, reference in pieces:
            inputs = {i: given[i] if i in given else micro.tensor(i) for i in piece.inputs}
            reference.invoke_with(inputs)
            for operator in piece.operators:
                _compare(operator, micro, reference, parities[operator.index], done - 1)
        if progress is not None:
            progress(done, len(codes))
    return KernelParity(len(codes), list(parities.values()), np.stack(outputs))


def _pieces(model: Model) -> list[Piece]:
    return cut_after(model, ONE_STEP_OPERATORS)


def _compare(
    operator: Operator, micro: TflmInterpreter, reference: TfliteInterpreter, parity: TensorParity, image: int
) -> None:
    parity.allowed_difference = 1 if operator.name in ONE_STEP_OPERATORS else 0
    for tensor in operator.outputs:
        ours, theirs = micro.tensor(tensor.index), reference.tensor(tensor.index)
        difference = np.abs(ours.astype(np.int64) - theirs.astype(np.int64))
        parity.elements += difference.size
        parity.differing += int(np.count_nonzero(difference))
        parity.largest_difference = max(parity.largest_difference, int(difference.max(initial=0)))
        if parity.largest_difference > parity.allowed_difference:
            raise UserError(
                f"{operator.label} differs by {parity.largest_difference} between TFLite's reference kernels and "
                f"TensorFlow Lite Micro on image {image} (allowed: {parity.allowed_difference}): replace that layer, "
                "or report it to tflite-micro"
            )


@step("running images in the smallest arena")
def check_least_arena(model: Model, arena_size: int, codes: np.ndarray, outputs: np.ndarray) -> None:
    """Check that the outputs stay the same in the smallest arena, where tensors share memory.

    Args:
        model: int8, with batch 1.
        arena_size: bytes.
        codes: int8 [N, …].
        outputs: int8 [N, …]: TFLM's outputs with separate memory for every tensor.

    Raises:
        UserError: an output differs.
    """
    interpreter = TflmInterpreter(model, arena_size)
    for index, (image, expected) in enumerate(zip(codes, outputs, strict=True)):
        if not np.array_equal(interpreter.invoke(image[np.newaxis])[0], expected):
            raise UserError(
                f"TensorFlow Lite Micro's outputs for image {index} differ between an arena of {arena_size} bytes and "
                "separate memory for every tensor: its memory plan is wrong for this model, report it to tflite-micro"
            )
