"""Read a `.tflite` file that may be damaged, and check whether TensorFlow Lite Micro can run it."""

import math

from firmware_export.common import limits
from firmware_export.common.errors import UserError
from firmware_export.tflite import model
from firmware_export.tflite.graph import WEIGHTED, Graph, Operator, Tensor
from firmware_export.tflite.model import Model
from firmware_export.tflite.normalize import normalized
from firmware_export.tflite.tflm_operators import SUPPORTED


def read(content: bytes, name: str = "model") -> Model:
    """Parse the bytes of a `.tflite` file, and normalize it if necessary (`normalize.normalized`).

    Args:
        content: the file. TFLite itself crashes on some damaged files: run `sandbox.check` first on untrusted files.
        name: the model's name in error messages.

    Raises:
        UserError: the file is truncated, corrupt, or not a TFLite model.
    """
    is_mendable = _check_bytes(content, name)
    try:
        parsed = normalized(model.parse(content, name))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{name} has a broken graph ({error}): convert the model again") from error
    if is_mendable and _check_bytes(parsed.content, name):
        raise UserError(f"{name} has a quantized_dimension outside its tensor's axes: convert the model again")
    return parsed


_LACKS_OPERATOR = ("Didn't find op for builtin opcode", "unresolved custom op")
_WRONG_AXIS = "quantized_dimension must be in range"


def _check_bytes(content: bytes, name: str) -> bool:
    """Refuse an incomplete file; returns whether LiteRT refuses it for a `quantized_dimension` alone."""
    if content[4:8] != b"TFL3":
        raise UserError(f"{name} is not a .tflite model (no TFL3 in its first 8 bytes): give an int8 .tflite file")
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # The Python schema reads past the end of a truncated file without an error; LiteRT runs flatbuffers' verifier.
    try:
        Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    except (ValueError, RuntimeError) as error:
        if any(text in str(error) for text in _LACKS_OPERATOR):  # the file is complete: see `check_deployable`
            return False
        if str(error).startswith(_WRONG_AXIS):  # complete too: see `normalize`
            return True
        raise UserError(f"{name} is truncated or corrupt ({_first_line(error)}): copy or convert it again") from error
    return False


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def check_deployable(graph: Graph) -> None:
    """Refuse a model that a microcontroller cannot run; the message states the reason and the remedy.

    Raises:
        UserError: custom operators, state between inferences, several subgraphs; float, 16-bit or unsigned activations;
            an input that is not one image of fixed size; operators that TensorFlow Lite Micro lacks.
    """
    if not graph.operators:
        raise UserError(f"{graph.name} has no operators: convert the model again")
    _check_custom(graph)
    _check_state(graph)
    _check_is_quantized(graph)
    _check_ends(graph)
    _check_sizes(graph)
    _check_operations(graph)
    # Operators with weights come first: their types give the true reason, those of the model's ends may not.
    for operator in sorted(graph.operators, key=lambda operator: operator.name not in WEIGHTED):
        for tensor in (*(t for t in operator.inputs if t is not None), *operator.outputs):
            _check_dtype(tensor, graph.name)
    for tensor in (*graph.inputs, *graph.outputs):
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


_CUSTOM = "CUSTOM:"
_ETHOS_U = "CUSTOM:ethos-u"
_VARIABLES = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")


def _check_custom(graph: Graph) -> None:
    custom = [name for name in graph.operator_names if name.startswith(_CUSTOM)]
    if _ETHOS_U in custom:
        raise UserError(
            f"{graph.name} was compiled for an Ethos-U NPU (custom operator ethos-u), which only that NPU runs: give "
            "the .tflite from before Vela"
        )
    if custom:
        raise UserError(
            f"{graph.name} uses operators that TensorFlow Lite Micro lacks: {', '.join(custom)}: replace those layers"
        )


def _check_state(graph: Graph) -> None:
    names = [name for name in graph.operator_names if name == "SVDF" or "LSTM" in name or "RNN" in name]
    names += [name for name in graph.operator_names if name in _VARIABLES]
    if names:
        raise UserError(
            f"{graph.name} keeps state between inferences ({', '.join(names)}), and the export verifies single "
            "inferences: replace those layers by ones without state, such as convolutions over a window of time"
        )


def _is_float(operator: Operator) -> bool:
    """Whether the outputs are float; a damaged operator may have none."""
    return any(tensor.dtype.startswith("float") for tensor in operator.outputs)


def _check_is_quantized(graph: Graph) -> None:
    """Tell a float model, and one of which only the weights are int8, from a model with some float tensor."""
    weighted = [operator for operator in graph.operators if operator.name in WEIGHTED and len(operator.inputs) > 1]
    floating = [operator for operator in weighted if _is_float(operator)]
    if floating and len(floating) == len(weighted):
        kinds = {operator.given(1).dtype for operator in floating}
        is_dynamic = "int8" in kinds
        what = "has int8 weights but computes in float32 (dynamic range)" if is_dynamic else "is a float model"
        raise UserError(f"{graph.name} {what}, int8 expected: {_DTYPE_REMEDIES['float']}")


def _check_operations(graph: Graph) -> None:
    """Name the operator that cannot be int8, where its tensor's type alone would not help."""
    for operator in graph.operators:
        if operator.name in ("ARG_MAX", "ARG_MIN") and operator.outputs[0] in graph.outputs:
            raise UserError(
                f"{graph.name} ends in {operator.name}, int8 outputs expected: convert the model without it, and take "
                "the largest or smallest output in firmware"
            )
        is_conversion = operator.name in ("QUANTIZE", "DEQUANTIZE")
        if not is_conversion and operator.outputs and operator.outputs[0].dtype == "float32":
            raise UserError(
                f"{graph.name}: {operator.label} is float32, int8 expected: {_DTYPE_REMEDIES['float']}; if it is, the "
                f"converter has no int8 {operator.name}: replace this layer"
            )


def _check_ends(graph: Graph) -> None:
    if graph.subgraphs != 1:
        raise UserError(f"{graph.name} has {graph.subgraphs} subgraphs, 1 expected: remove control flow and variables")
    if not graph.inputs or not graph.outputs:
        raise UserError(
            f"{graph.name} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, one or more of each "
            "expected: convert the model again"
        )
    for tensor in graph.inputs:
        # The converter computed all shapes for a batch of 1, whatever the signature says of it.
        if -1 in tensor.shape_signature[1:] or (-1 in tensor.shape_signature[:1] and tensor.shape[0] != 1):
            raise UserError(
                f"{graph.name}: input {tensor.name!r} has the dynamic shape {list(tensor.shape_signature)}, a fixed "
                "one is needed: convert with a fixed input size, or give python -m firmware_export the Keras model"
            )
        if tensor.shape[:1] != (1,):
            raise UserError(f"{graph.name}: input shape {list(tensor.shape)}, batch 1 expected: convert with batch 1")


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
