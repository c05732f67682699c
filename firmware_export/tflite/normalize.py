"""A copy of a `.tflite` without what stops the export although the model computes in int8, and a list of the changes.

TensorFlow Lite Micro runs many files that LiteRT or the export would refuse for a few bytes of metadata, or for float
ends around an int8 core. The copy computes the same codes as the file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from firmware_export.tflite import dilations, folding, offline_metadata
from firmware_export.tflite.graph import Graph, Operator, Tensor
from firmware_export.tflite.model import Model, Origin

_ENDS = ("float32", "uint8")
"""Data types that a converter puts around an int8 core."""


@dataclass(frozen=True)
class _Cut:
    """A QUANTIZE or DEQUANTIZE at an end of the model, and the int8 tensor that becomes the end in its place."""

    operator: Operator
    outer: Tensor
    inner: Tensor
    is_input: bool

    @property
    def sentence(self) -> str:
        end, verb = ("input", "feeds") if self.is_input else ("output", "reads")
        kind = f"{self.operator.name} {'from' if self.is_input else 'to'} {self.outer.dtype}"
        return (
            f"The {end} {self.outer.name[:80]!r} lost its {kind}: firmware {verb} int8 codes, value = "
            f"{self.inner.scale:.9g} * (code - ({self.inner.zero_point}))."
        )


def normalized(model: Model) -> Model:
    """The model, or a copy that the export can check, with its `origin`.

    - `quantized_dimension` of a bias is set to 0, its only axis.
    - Operators whose results depend only on shapes (SHAPE, STRIDED_SLICE, PACK, …) become constants.
    - Sizes of tensors that the file leaves open become those of a batch of 1.
    - SPACE_TO_BATCH_ND, a convolution and BATCH_TO_SPACE_ND become one convolution with gaps between its taps.
    - A QUANTIZE or DEQUANTIZE between int8 and a float32 or uint8 end is cut off; the end keeps scale and zero point.

    Args:
        model: as parsed, not yet checked.

    Returns:
        `model` itself if nothing was changed.

    Raises:
        UserError: TFLite cannot compute the shapes.
        AttributeError, LookupError, TypeError, ValueError: the file is inconsistent.
    """
    changes: list[str] = []
    copy = _mend_biases(model, changes)
    only_metadata = copy
    copy = folding.fold_shapes(copy, changes)
    copy = _cut_ends(copy, changes)
    copy = folding.close_shapes(copy, changes)
    copy = dilations.join_dilated(copy, changes)
    if copy is model:
        return model
    if copy is only_metadata:
        return replace(copy, origin=Origin(model, tuple(changes), runs_unchanged=True))
    copy = _without_unused(copy, changes)
    return replace(copy, origin=Origin(model, tuple(changes), runs_unchanged=False))


def _mend_biases(model: Model, changes: list[str]) -> Model:
    # LiteRT refuses the axis of a constant that has fewer dimensions; TFLM does not read it.
    wrong = [t.index for t in model.graph.tensors if len(t.scales) > 1 and len(t.shape) == 1 and t.quantized_dimension]
    if not wrong:
        return model

    def edit(unpacked: Any) -> None:
        for index in wrong:
            unpacked.subgraphs[0].tensors[index].quantization.quantizedDimension = 0

    changes.append(f"quantized_dimension of {len(wrong)} constants of one dimension became 0, their only axis.")
    return model.edited(edit)


def _cut_ends(model: Model, changes: list[str]) -> Model:
    graph = model.graph
    cuts = [*_cuts(graph, graph.inputs, _input_cut), *_cuts(graph, graph.outputs, _output_cut)]
    if not cuts:
        return model

    def edit(unpacked: Any) -> None:
        main = unpacked.subgraphs[0]
        inner = {(cut.is_input, cut.outer.index): cut.inner.index for cut in cuts}
        main.inputs = [inner.get((True, int(index)), int(index)) for index in main.inputs]
        main.outputs = [inner.get((False, int(index)), int(index)) for index in main.outputs]
        gone = {cut.operator.index for cut in cuts}
        main.operators = [operator for index, operator in enumerate(main.operators) if index not in gone]

    changes += [cut.sentence for cut in cuts]
    return model.edited(edit)


def _cuts(graph: Graph, ends: Sequence[Tensor], find: Callable[[Graph, Tensor], _Cut | None]) -> list[_Cut]:
    return [cut for end in ends if end.dtype in _ENDS and (cut := find(graph, end)) is not None]


def _input_cut(graph: Graph, end: Tensor) -> _Cut | None:
    users = [operator for operator in graph.operators if end in operator.inputs]
    if len(users) != 1 or users[0].name != "QUANTIZE" or end in graph.outputs:
        return None
    inner = users[0].outputs[0]
    return _Cut(users[0], end, inner, is_input=True) if _is_core(inner) else None


def _output_cut(graph: Graph, end: Tensor) -> _Cut | None:
    makers = [operator for operator in graph.operators if end in operator.outputs]
    is_used = any(end in operator.inputs for operator in graph.operators)
    if len(makers) != 1 or makers[0].name not in ("QUANTIZE", "DEQUANTIZE") or is_used:
        return None
    inner = makers[0].given(0)
    return _Cut(makers[0], end, inner, is_input=False) if _is_core(inner) else None


def _is_core(tensor: Tensor) -> bool:
    return tensor.dtype == "int8" and len(tensor.scales) == 1


def _without_unused(model: Model, changes: list[str]) -> Model:
    """The model without the tensors that no operator uses any longer, and without a plan, which counts tensors."""
    graph = model.graph
    if any(entry.name == offline_metadata.METADATA_NAME.encode() for entry in model.metadata):
        model = offline_metadata.without_plan(model)
        changes.append("Its memory plan (OfflineMemoryAllocation), which counted other tensors, was removed.")
    used = {t.index for o in graph.operators for t in (*o.inputs, *o.outputs) if t is not None}
    used.update(tensor.index for tensor in (*graph.inputs, *graph.outputs))
    kept = sorted(used)
    position = {old: new for new, old in enumerate(kept)} | {-1: -1}
    if len(kept) < len(graph.tensors):
        changes.append(f"{len(graph.tensors) - len(kept)} tensors that nothing uses any longer were removed.")

    def renumbered(indices: Any) -> list[int]:
        return [position[int(index)] for index in ([] if indices is None else indices)]

    def edit(unpacked: Any) -> None:
        main = unpacked.subgraphs[0]
        main.inputs, main.outputs = renumbered(main.inputs), renumbered(main.outputs)
        for operator in main.operators:
            operator.inputs, operator.outputs = renumbered(operator.inputs), renumbered(operator.outputs)
            if operator.intermediates is not None and len(operator.intermediates):
                operator.intermediates = None
        main.tensors = [main.tensors[index] for index in kept]
        unpacked.signatureDefs = None  # they name tensors by index
        _drop_unused_codes(unpacked)
        _empty_unused_buffers(unpacked)

    return model.edited(edit)


def _drop_unused_codes(unpacked: Any) -> None:
    operators = unpacked.subgraphs[0].operators
    kept = sorted({operator.opcodeIndex for operator in operators})
    unpacked.operatorCodes = [unpacked.operatorCodes[index] for index in kept]
    for operator in operators:
        operator.opcodeIndex = kept.index(operator.opcodeIndex)


def _empty_unused_buffers(unpacked: Any) -> None:
    used = {int(tensor.buffer) for graph in unpacked.subgraphs for tensor in graph.tensors}
    used.update(int(entry.buffer) for entry in unpacked.metadata or [])
    for index, buffer in enumerate(unpacked.buffers):
        if index not in used:
            buffer.data = None
