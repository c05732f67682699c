"""A `.tflite` file as a typed graph, and whether TensorFlow Lite Micro can carry it."""

from typing import Any

from firmware_export.common.errors import UserError
from firmware_export.tflite.graph import Graph, Operator, Tensor
from firmware_export.tflite.tflm_operators import SUPPORTED


def read(model: bytes, name: str = "model") -> Graph:
    """Parse the bytes of a `.tflite` file.

    Args:
        model: the file's content. TFLite itself crashes on some damaged files: `sandbox.check` those of others first.
        name: what error messages call it.

    Raises:
        UserError: truncated, corrupt, or no TFLite model at all.
    """
    _check_bytes(model, name)
    from ai_edge_litert import schema_py_generated as schema

    try:
        return _graph(schema.ModelT.InitFromPackedBuf(model), name, schema)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{name} has a broken graph ({error}): convert the model again") from error


_LACKS_OPERATOR = ("Didn't find op for builtin opcode", "unresolved custom op")


def _check_bytes(model: bytes, name: str) -> None:
    if model[4:8] != b"TFL3":
        raise UserError(f"{name} is no .tflite model (no TFL3 mark in its first 8 bytes): give an int8 .tflite file")
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # The Python schema reads past the end of a cut file without noticing; LiteRT runs flatbuffers' own verifier.
    try:
        Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    except (ValueError, RuntimeError) as error:
        if any(said in str(error) for said in _LACKS_OPERATOR):  # the file is whole: `check_deployable` judges it
            return
        raise UserError(f"{name} is truncated or corrupt ({_first_line(error)}): copy or convert it again") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _graph(model: Any, name: str, schema: Any) -> Graph:
    main = model.subgraphs[0]
    builtin_names = {code: n for n, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    dtype_names = {code: n.lower() for n, code in vars(schema.TensorType).items() if isinstance(code, int)}
    written = {
        index for operator in main.operators if operator.outputs is not None for index in map(int, operator.outputs)
    }
    tensors = tuple(
        _tensor(index, tensor, dtype_names, model.buffers, index in written)
        for index, tensor in enumerate(main.tensors)
    )
    names = [_operator_name(code, builtin_names) for code in model.operatorCodes]
    operators = tuple(
        Operator(
            index,
            names[operator.opcodeIndex],
            tuple(None if i < 0 else tensors[i] for i in map(int, _listed(operator.inputs))),
            tuple(tensors[i] for i in map(int, _listed(operator.outputs))),
        )
        for index, operator in enumerate(_listed(main.operators))
    )
    inputs, outputs = (tuple(tensors[int(i)] for i in _listed(ends)) for ends in (main.inputs, main.outputs))
    return Graph(name, inputs, outputs, tensors, operators, len(model.subgraphs))


def _tensor(index: int, tensor: Any, dtype_names: dict[int, str], buffers: list[Any], is_written: bool) -> Tensor:
    data = buffers[tensor.buffer].data
    quantization = tensor.quantization
    shape = tuple(map(int, _listed(tensor.shape)))
    return Tensor(
        index=index,
        name=(tensor.name or b"").decode(errors="replace"),
        shape=shape,
        shape_signature=tuple(map(int, _listed(tensor.shapeSignature))) or shape,
        dtype=dtype_names[tensor.type],
        scales=tuple(map(float, _listed(quantization.scale))) if quantization else (),
        zero_points=tuple(map(int, _listed(quantization.zeroPoint))) if quantization else (),
        is_constant=not is_written and data is not None and len(data) > 0,
    )


def _operator_name(code: Any, builtin_names: dict[int, str]) -> str:
    if code.customCode:
        return "CUSTOM:" + " ".join(code.customCode.decode(errors="replace").split())
    # Codes below 127 are written to both fields, those above only to the newer one.
    return builtin_names[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _listed(vector: Any) -> list[Any]:
    return [] if vector is None else list(vector)


def check_deployable(graph: Graph) -> None:
    """Refuse what a microcontroller cannot run, and say what to do about it.

    Raises:
        UserError: several subgraphs, inputs or outputs; a free or other batch than 1; float, 16-bit or unsigned
            activations; operators that TensorFlow Lite Micro lacks.
    """
    _check_ends(graph)
    _check_shapes(graph)
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
                "one is needed: convert with a fixed batch of 1 (python -m firmware_export does, from the Keras model)"
            )
    batch = graph.inputs[0].shape[:1]
    if batch != (1,):
        raise UserError(f"{graph.name}: input shape {list(graph.inputs[0].shape)}, batch 1 expected: convert with it")


_DTYPE_REMEDIES = {
    "float": "quantize it to full int8 (give python -m firmware_export the Keras model, with --images for a float one)",
    "int16": "quantize activations to int8, not 16x8",
    "uint8": "quantize to int8: uint8 kernels are gone from TFLM",
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
