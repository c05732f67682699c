"""Convolutions with gaps between their taps, which some converters write as three operators."""

from dataclasses import dataclass
from typing import Any

from firmware_export.tflite.graph import Graph, Operator, Tensor
from firmware_export.tflite.model import Model

_SAME, _VALID = 0, 1
"""`Padding` of the schema."""


@dataclass(frozen=True)
class _Dilated:
    """SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND, and what the convolution alone would need."""

    before: Operator
    convolution: Operator
    after: Operator
    gaps: tuple[int, int]
    padding: int


def join_dilated(model: Model, changes: list[str]) -> Model:
    """The model with one convolution in place of SPACE_TO_BATCH_ND, CONV_2D or DEPTHWISE_CONV_2D, BATCH_TO_SPACE_ND.

    The three compute the same as a convolution whose taps are as far apart as the blocks are long. TFLM does not pad
    int8 blocks as TFLite does.

    Args:
        model: with the shapes of a batch of 1.
        changes: receives one sentence.
    """
    found = [each for operator in model.graph.operators if (each := _dilated(model, operator)) is not None]
    if not found:
        return model

    def edit(unpacked: Any) -> None:
        main = unpacked.subgraphs[0]
        for each in found:
            joined = main.operators[each.convolution.index]
            joined.inputs = [each.before.given(0).index, *joined.inputs[1:]]
            joined.outputs = [each.after.outputs[0].index]
            options = joined.builtinOptions
            options.dilationHFactor, options.dilationWFactor = each.gaps
            options.padding = each.padding
        gone = {each.index for pair in found for each in (pair.before, pair.after)}
        main.operators = [operator for index, operator in enumerate(main.operators) if index not in gone]

    changes.append(
        f"{len(found)} dilated convolutions, each written as SPACE_TO_BATCH_ND, a convolution and BATCH_TO_SPACE_ND, "
        "became one operator each."
    )
    return model.edited(edit)


def _dilated(model: Model, before: Operator) -> _Dilated | None:
    """The three operators that begin with this one, if they are a dilated convolution."""
    graph = model.graph
    if before.name != "SPACE_TO_BATCH_ND":
        return None
    convolution = _only_reader(graph, before.outputs[0])
    if convolution is None or convolution.name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return None
    after = _only_reader(graph, convolution.outputs[0])
    if after is None or after.name != "BATCH_TO_SPACE_ND" or convolution.given(0) is not before.outputs[0]:
        return None
    given, result, weights = before.given(0), after.outputs[0], convolution.given(1)
    alike = ((given, before.outputs[0]), (after.given(0), result))
    if any(_quantization(one) != _quantization(other) for one, other in alike):
        return None
    settings = [each.given(position) for each in (before, after) for position in (1, 2)]
    if not all(tensor.is_constant for tensor in settings) or any(len(t.shape) != 4 for t in (given, result, weights)):
        return None
    block, pads, back, crops = (model.constant(tensor).tolist() for tensor in settings)
    options = model.options[convolution.index]
    plain = ("strideH", "strideW", "dilationHFactor", "dilationWFactor", "padding")
    if len(block) != 2 or block != back or [options[name] for name in plain] != [1, 1, 1, 1, _VALID]:
        return None
    sides = zip(block, weights.shape[1:3], pads, crops, given.shape[1:3], result.shape[1:3], strict=True)
    possible = {_SAME, _VALID}.intersection(*(_paddings(*side) for side in sides))
    return _Dilated(before, convolution, after, tuple(block), min(possible)) if possible else None


def _paddings(gap: int, taps: int, pads: list[int], crops: list[int], given: int, result: int) -> set[int]:
    """The paddings that have the same effect on a side as these pads and crops: none, one, or both."""
    beyond, first = gap * (taps - 1), crops[0] - pads[0]
    effects = {_SAME: (-(beyond // 2), given), _VALID: (0, given - beyond)}
    return {padding for padding, effect in effects.items() if effect == (first, result)}


def _only_reader(graph: Graph, tensor: Tensor) -> Operator | None:
    readers = [each for each in graph.operators if any(t is not None and t.index == tensor.index for t in each.inputs)]
    is_result = any(output.index == tensor.index for output in graph.outputs)
    return readers[0] if len(readers) == 1 and not is_result else None


def _quantization(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.dtype, tuple(tensor.scales), tensor.zero_point
