"""Each layer as the words of `satkd_engine_layer`: its geometry, its scales, and where its rows and constants are."""

from collections.abc import Mapping, Sequence
from functools import singledispatch

from firmware_export.rows import engine
from firmware_export.rows.arrange import sums_name
from firmware_export.rows.constants import Constants, outside_name
from firmware_export.rows.context import Context, Place
from firmware_export.rows.describe_structure import structure_words
from firmware_export.rows.fast_kernels import fast_sums, has_fast_kernel, right_shifts
from firmware_export.rows.layers import (
    Add,
    AveragePoolByRow,
    Convolution,
    Layer,
    Lookup,
    Mean,
    Pad,
    Pool,
    Reshape,
    Softmax,
    Tensor,
    Window,
)
from firmware_export.rows.layers_elementwise import LogSoftmax, Pairwise
from firmware_export.rows.layers_structure import STRUCTURE

Words = Mapping[str, int | Place]
"""Words by name; those left out are 0."""


def describe(layer: Layer, position: int, context: Context, constants: Constants) -> dict[str, int | Place]:
    """The words of a layer, without `check`.

    Args:
        layer: the layer.
        position: from 1, in the network.
        context: where its rows are.
        constants: where its weights and tables are.
    """
    given, output = layer.inputs[0], layer.output
    words: dict[str, int | Place] = {
        "steps": layer.steps,
        **rows("in", given, context, pads=layer.window.pad_left if isinstance(layer, Convolution) else 0),
        **rows("out", output, context),
        "width_in": given.width,
        "channels_in": given.channels,
        "width_out": output.width,
        "channels_out": output.channels,
        **(structure_words(layer, context) if isinstance(layer, STRUCTURE) else _own(layer)),
    }
    if len(layer.inputs) > 1:
        words |= rows("other", layer.inputs[1], context)
    if has_fast_kernel(layer):
        words["scratch"] = context.scratch(position)
    if output in context.plan.network.outputs:
        words["result"] = 1 + context.plan.network.first_code(output)
    if layer.sums:
        name = sums_name(position)
        words["sums"] = context.place(name)
        if context.has_checks:
            words |= {"sums_words": layer.sums, "sums_check": context.checks(name)}
    for name in _ARRAYS:
        if f"{name}_{position}" in constants.arrays:
            words[name] = constants.place(f"{name}_{position}")
    if isinstance(layer, Convolution) and layer.sees_outside:
        words["outside"] = constants.place(outside_name(given.zero_point))
    return words | _constants(layer, position, constants) if context.has_checks else words


def _constants(layer: Layer, position: int, constants: Constants) -> dict[str, int | Place]:
    """The spans of a layer's constants, and their check."""
    own = [f"{name}_{position}" for name in _ARRAYS]
    sees_outside = isinstance(layer, Convolution) and layer.sees_outside
    spans = {
        "numbers": [name for name in own if constants.has_words(name)],
        "codes": [name for name in own if constants.has_bytes(name)],
        "border": [outside_name(layer.inputs[0].zero_point)] if sees_outside else [],
    }
    words: dict[str, int | Place] = {}
    content = b""
    for span, names in spans.items():
        if names:
            place, found = constants.span(names)
            words |= {f"{span}.start": place, f"{span}.words": len(found) // 4}
            content += found
    return words | check("constants_check", engine.words(content))


def check(name: str, content: Sequence[int]) -> dict[str, int]:
    """The words of the `satkd_engine_check` of words; all 0 if there are none."""
    low, high = engine.check(content)
    return {f"{name}.low": low, f"{name}.high": high}


_ARRAYS = ("weights", "bias", "multipliers", "shifts", "table")
"""The words of a layer that are offsets of its own constants, and the names of these."""


def rows(name: str, tensor: Tensor, context: Context, *, pads: int = 0) -> dict[str, int | Place]:
    """The words of a `satkd_engine_rows`."""
    ring = context.plan.ring_of[tensor]
    return {
        f"{name}.start": context.ring(tensor, pads=pads),
        f"{name}.row_bytes": ring.row_bytes,
        f"{name}.depth": ring.depth,
        f"{name}.height": tensor.height,
        f"{name}.before": context.bytes_before(tensor, pads=pads),
        f"{name}.checks": context.checks(context.ring_name(tensor)),
    }


def _kind(name: str) -> Place:
    return Place(engine.KINDS.index(name) + 1, f"SATKD_ENGINE_{name}")


@singledispatch
def _own(layer: Layer) -> Words:
    """The words that only this kind of layer has."""
    raise NotImplementedError(type(layer))


@_own.register
def _(layer: Convolution) -> Words:
    return {
        "kind": _kind("CONVOLUTION" if layer.depth_multiplier is None else "DEPTHWISE_CONVOLUTION"),
        **_window(layer.window),
        "zero_point_out": layer.output.zero_point,
        "lowest": layer.lowest,
        "highest": layer.highest,
        "has_fast_sums": fast_sums(layer),
        "has_right_shifts": right_shifts(layer),
    }


@_own.register
def _(layer: Pool) -> Words:
    kind = _kind("AVERAGE_POOL" if layer.operator == "AVERAGE_POOL_2D" else "MAX_POOL")
    return {"kind": kind, **_window(layer.window), "lowest": layer.lowest, "highest": layer.highest}


@_own.register
def _(layer: AveragePoolByRow) -> Words:
    kind = _kind("AVERAGE_POOL_BY_ROW")
    return {"kind": kind, **_window(layer.window), "lowest": layer.lowest, "highest": layer.highest}


def _window(window: Window) -> Words:
    return vars(window)


@_own.register
def _(layer: Mean) -> Words:
    return {
        "kind": _kind("MEAN"),
        "kernel_width": layer.inputs[0].width,
        "stride_width": 1,
        "zero_point_in": layer.inputs[0].zero_point,
        "zero_point_out": layer.output.zero_point,
        **_scale("scale_out", layer.multiplier, layer.shift),
    }


@_own.register
def _(layer: Add) -> Words:
    first, second, output = layer.scalings
    return {
        "kind": _kind("ADDITION"),
        "zero_point_in": layer.inputs[0].zero_point,
        "zero_point_other": layer.inputs[1].zero_point,
        "zero_point_out": layer.output.zero_point,
        "lowest": layer.lowest,
        "highest": layer.highest,
        **_scale("scale_in", *first),
        **_scale("scale_other", *second),
        **_scale("scale_out", *output),
    }


@_own.register
def _(layer: Pairwise) -> Words:
    first, second, output = layer.scalings
    operand = layer.operand
    return {
        "kind": _elementwise_kind(layer.kind),
        # The rows of a constant; those of a tensor replace them.
        "other.row_bytes": operand.row_codes,
        "other.depth": operand.height,
        "stride_width": operand.pixel_stride,
        "zero_point_in": layer.inputs[0].zero_point,
        "zero_point_other": operand.zero_point,
        "zero_point_out": layer.output.zero_point,
        "lowest": layer.lowest,
        "highest": layer.highest,
        **_scale("scale_in", *first),
        **_scale("scale_other", *second),
        **_scale("scale_out", *output),
    }


@_own.register
def _(layer: LogSoftmax) -> Words:
    return {
        "kind": _elementwise_kind("LOG_SOFTMAX"),
        "lowest": layer.least_difference,
        **_scale("scale_in", *layer.scaling),
        **_scale("scale_other", *layer.reverse_scaling),
    }


def _elementwise_kind(name: str) -> Place:
    number = engine.FIRST_ELEMENTWISE_KIND + engine.ELEMENTWISE_KINDS.index(name)
    return Place(number, f"SATKD_ENGINE_{name}")


def _scale(name: str, multiplier: int, shift: int) -> Words:
    return {f"{name}.multiplier": multiplier, f"{name}.shift": shift}


@_own.register
def _(layer: Lookup) -> Words:
    return {"kind": _kind("LOOKUP")}


@_own.register
def _(layer: Softmax) -> Words:
    return {"kind": _kind("SOFTMAX")}


@_own.register
def _(layer: Reshape) -> Words:
    return {"kind": _kind("RESHAPE")}


@_own.register
def _(layer: Pad) -> Words:
    return {
        "kind": _kind("PAD"),
        "pad_top": layer.top,
        "pad_left": layer.left,
        "pad_front": layer.front,
        "pad_code": layer.value,
    }
