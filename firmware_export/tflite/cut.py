"""Cut a model after selected operators, so that each piece can run on given inputs."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from firmware_export.tflite.graph import Operator
from firmware_export.tflite.model import Model


@dataclass(frozen=True)
class Piece:
    """Consecutive operators as a separate model, with the tensor indices of the whole model."""

    model: Model
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    """Indices of the tensors that earlier pieces or the model's input provide."""


def cut_after(model: Model, names: Collection[str]) -> list[Piece]:
    """Split a model after every operator whose name is in `names`.

    Args:
        model: the whole model.
        names: operator names, such as FULLY_CONNECTED.

    Returns:
        The pieces in execution order; only the model itself if no operator before the last one is in `names`.
    """
    graph = model.graph
    ends = [o.index + 1 for o in graph.operators[:-1] if o.name in names] + [len(graph.operators)]
    if len(ends) == 1:
        return [Piece(model, graph.operators, tuple(tensor.index for tensor in graph.inputs))]
    return [_piece(model, graph.operators[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def _piece(model: Model, operators: tuple[Operator, ...]) -> Piece:
    written: set[int] = set()
    inputs: dict[int, None] = {}
    for operator in operators:
        for tensor in operator.inputs:
            if tensor is not None and not tensor.is_constant and tensor.index not in written:
                inputs[tensor.index] = None
        written.update(tensor.index for tensor in operator.outputs)

    def cut(unpacked: Any) -> None:
        subgraph = unpacked.subgraphs[0]
        subgraph.operators = subgraph.operators[operators[0].index : operators[-1].index + 1]
        subgraph.inputs, subgraph.outputs = list(inputs), [t.index for t in operators[-1].outputs]
        unpacked.signatureDefs = None  # they refer to tensors of the whole model

    return Piece(model.edited(cut), operators, tuple(inputs))
