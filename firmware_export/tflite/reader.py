"""Read a `.tflite` file that may be damaged, and check whether TensorFlow Lite Micro can run it."""

import math

from firmware_export.common import limits
from firmware_export.common.errors import UserError
from firmware_export.tflite import model
from firmware_export.tflite.graph import Graph, Tensor
from firmware_export.tflite.model import Model
from firmware_export.tflite.tflm_operators import SUPPORTED


def read(content: bytes, name: str = "model") -> Model:
    """Parse the bytes of a `.tflite` file.

    Args:
        content: the file. TFLite itself crashes on some damaged files: run `sandbox.check` first on untrusted files.
        name: the model's name in error messages.

    Raises:
        UserError: the file is truncated, corrupt, or not a TFLite model.
    """
    _check_bytes(content, name)
    try:
        return model.parse(content, name)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{name} has a broken graph ({error}): convert the model again") from error


_LACKS_OPERATOR = ("Didn't find op for builtin opcode", "unresolved custom op")


def _check_bytes(content: bytes, name: str) -> None:
    if content[4:8] != b"TFL3":
        raise UserError(f"{name} is not a .tflite model (no TFL3 in its first 8 bytes): give an int8 .tflite file")
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # The Python schema reads past the end of a truncated file without an error; LiteRT runs flatbuffers' verifier.
    try:
        Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    except (ValueError, RuntimeError) as error:
        if any(text in str(error) for text in _LACKS_OPERATOR):  # the file is complete: see `check_deployable`
            return
        raise UserError(f"{name} is truncated or corrupt ({_first_line(error)}): copy or convert it again") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def check_deployable(graph: Graph) -> None:
    """Refuse a model that a microcontroller cannot run; the message states the remedy.

    Raises:
        UserError: several subgraphs, inputs or outputs; a variable batch or one other than 1; float, 16-bit or unsigned
            activations; operators that TensorFlow Lite Micro lacks.
    """
    _check_ends(graph)
    _check_shapes(graph)
    _check_sizes(graph)
    for operator in graph.operators:
        for tensor in (*(t for t in operator.inputs if t is not None), *operator.outputs):
            _check_dtype(tensor, graph.name)
    for tensor in (graph.inputs[0], graph.outputs[0]):
        if tensor.dtype != "int8" or len(tensor.scales) != 1:
            raise UserError(
                f"{graph.name}: {tensor.name!r} is {tensor.dtype} with {len(tensor.scales)} scales, int8 with one "
                "expected at both ends: convert with inference_input_type = inference_output_type = tf.int8"
            )
    _check_operators(graph)


def _check_sizes(graph: Graph) -> None:
    for operator in graph.operators:
        for tensor in (*(t for t in operator.inputs if t is not None), *operator.outputs):
            try:
                # Four bytes are the most per element that a deployable model has.
                limits.check(limits.TENSOR, 4 * math.prod(map(abs, tensor.shape)), f"tensor {tensor.name!r}")
            except ValueError as error:
                raise UserError(f"{graph.name}: {error}") from None


def _check_ends(graph: Graph) -> None:
    if graph.subgraphs != 1:
        raise UserError(f"{graph.name} has {graph.subgraphs} subgraphs, 1 expected: remove control flow and variables")
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UserError(
            f"{graph.name} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, one of each expected: "
            "export one signature with one image and one output"
        )
    if not graph.operators:
        raise UserError(f"{graph.name} has no operators: convert the model again")


def _check_shapes(graph: Graph) -> None:
    for tensor in graph.tensors:
        if -1 in tensor.shape_signature:
            raise UserError(
                f"{graph.name}: tensor {tensor.name!r} has the dynamic shape {list(tensor.shape_signature)}, a fixed "
                "one is needed: convert with a fixed batch of 1, or give python -m firmware_export the Keras model"
            )
    batch = graph.inputs[0].shape[:1]
    if batch != (1,):
        raise UserError(
            f"{graph.name}: input shape {list(graph.inputs[0].shape)}, batch 1 expected: convert with batch 1"
        )


_DTYPE_REMEDIES = {
    "float": "quantize it to full int8 (give python -m firmware_export the Keras model, with --images for a float one)",
    "int16": "quantize activations to int8, not 16x8",
    "uint8": "quantize to int8, because TFLM no longer has uint8 kernels",
}


def _check_dtype(tensor: Tensor, name: str) -> None:
    remedy = next((text for kind, text in _DTYPE_REMEDIES.items() if tensor.dtype.startswith(kind)), None)
    if remedy is not None:
        raise UserError(f"{name}: tensor {tensor.name!r} is {tensor.dtype}, int8 expected: {remedy}")


def _check_operators(graph: Graph) -> None:
    missing = [name for name in graph.operator_names if name not in SUPPORTED]
    if missing:
        raise UserError(
            f"{graph.name} uses operators that TensorFlow Lite Micro lacks: {', '.join(missing)}: replace those layers"
        )
