"""Compute what depends only on shapes: operators, which become constants, and sizes that a model leaves open."""

from typing import Any

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.tflite import interpreters
from firmware_export.tflite.graph import Graph, Operator, Tensor
from firmware_export.tflite.model import Model
from firmware_export.tflite.sanity import LARGEST_ACTIVATIONS

_SHAPE_TYPES = ("int32", "int64")


def fold_shapes(model: Model, changes: list[str]) -> Model:
    """The model with constants in place of the operators that compute shapes; the model itself if it has none.

    A converter writes SHAPE, STRIDED_SLICE and PACK for a RESHAPE whose batch is variable. The export's batch is 1, so
    all shapes are known.

    Args:
        model: as parsed.
        changes: receives one sentence.

    Raises:
        UserError: TFLite cannot run these operators.
    """
    graph = model.graph
    folded = _depending_on_shapes(graph)
    if not folded or sum(tensor.size for tensor in _measured(folded)) > LARGEST_ACTIVATIONS:
        return model
    values = _computed(model, folded)

    def edit(unpacked: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        main = unpacked.subgraphs[0]
        gone = {operator.index for operator in folded}
        main.operators = [operator for index, operator in enumerate(main.operators) if index not in gone]
        for index, value in values.items():
            unpacked.buffers.append(schema.BufferT(data=np.frombuffer(value.tobytes(), np.uint8)))
            main.tensors[index].buffer = len(unpacked.buffers) - 1

    names = ", ".join(sorted({operator.name for operator in folded}))
    changes.append(f"{len(folded)} operators that compute shapes ({names}) became constants, for a batch of 1.")
    return model.edited(edit)


def close_shapes(model: Model, changes: list[str]) -> Model:
    """The model with the shapes that its operators compute for a batch of 1, where the file leaves sizes open.

    For a variable batch, a converter writes 1 for every size that it does not know, such as the rows of a RESHAPE to
    (-1, 4). TFLM allocates what the file says.

    Args:
        model: without operators that compute shapes.
        changes: receives one sentence.
    """
    graph = model.graph
    made = [tensor for operator in graph.operators for tensor in operator.outputs]
    changes_batch = any(name in graph.operator_names for name in ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"))
    if not changes_batch and not any(-1 in tensor.shape_signature[1:] for tensor in made):
        return model
    try:
        interpreter = interpreters.TfliteInterpreter(model, is_reference=True)
    except UserError:  # later checks say why
        return model
    shapes = {tensor.index: interpreter.shape(tensor.index) for tensor in made if -1 in tensor.shape_signature}
    wrong = {index: shape for index, shape in shapes.items() if shape != graph.tensors[index].shape}
    if not wrong:
        return model

    def edit(unpacked: Any) -> None:
        for index, shape in wrong.items():
            tensor = unpacked.subgraphs[0].tensors[index]
            tensor.shape, tensor.shapeSignature = list(shape), None

    changes.append(f"The shapes of {len(wrong)} tensors, which the file leaves open, are those of a batch of 1.")
    return model.edited(edit)


def _depending_on_shapes(graph: Graph) -> list[Operator]:
    known = {tensor.index for tensor in graph.tensors if tensor.is_constant}
    results = {tensor.index for tensor in graph.outputs}
    folded = []
    for operator in graph.operators:
        depends_only_on_shapes = operator.name == "SHAPE" or all(
            tensor is None or tensor.index in known for tensor in operator.inputs
        )
        is_shape = all(tensor.dtype in _SHAPE_TYPES and tensor.index not in results for tensor in operator.outputs)
        if operator.inputs and operator.outputs and depends_only_on_shapes and is_shape:
            known.update(tensor.index for tensor in operator.outputs)
            folded.append(operator)
    return folded


def _computed(model: Model, folded: list[Operator]) -> dict[int, np.ndarray]:
    """The values of the operators' outputs that others read, by tensor index; TFLite's kernels compute them."""
    indices = {operator.index for operator in folded}
    made = {tensor.index: tensor for operator in folded for tensor in operator.outputs}
    rest = [operator for operator in model.graph.operators if operator.index not in indices]
    read = {tensor.index for operator in rest for tensor in operator.inputs if tensor is not None}
    wanted = [index for index in made if index in read]
    measured = _measured(folded)

    def cut(unpacked: Any) -> None:
        main = unpacked.subgraphs[0]
        main.operators = [main.operators[operator.index] for operator in folded]
        main.inputs, main.outputs = [tensor.index for tensor in measured], wanted
        unpacked.signatureDefs = None

    if not wanted:
        return {}
    interpreter = interpreters.TfliteInterpreter(model.edited(cut), is_reference=True)
    interpreter.invoke_with({tensor.index: np.zeros(tensor.shape, tensor.dtype) for tensor in measured})
    return {index: np.array(interpreter.tensor(index)) for index in wanted}


def _measured(folded: list[Operator]) -> list[Tensor]:
    """The tensors whose shapes the operators read; their values do not matter."""
    made = {tensor.index for operator in folded for tensor in operator.outputs}
    given = (tensor for operator in folded for tensor in operator.inputs if tensor is not None)
    unique = {tensor.index: tensor for tensor in given if not tensor.is_constant and tensor.index not in made}
    return list(unique.values())
