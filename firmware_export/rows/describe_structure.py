"""The words of the layers of `layers_structure`."""

from firmware_export.rows import engine
from firmware_export.rows.context import Context, Place
from firmware_export.rows.layers import Layer
from firmware_export.rows.layers_structure import (
    COLUMNS,
    ROWS,
    Concatenation,
    Reduction,
    Resizing,
    Selection,
    TransposedConvolution,
)


def structure_words(layer: Layer, context: Context) -> dict[str, int | Place]:
    """The words that only this kind of layer has; some replace those that all layers have.

    Raises:
        NotImplementedError: the layer is of another kind.
    """
    match layer:
        case Reduction():
            return _reduction(layer)
        case Selection():
            return _selection(layer, context)
        case Concatenation():
            return _concatenation(layer)
        case Resizing():
            return {"kind": _kind("RESIZING")}
        case TransposedConvolution():
            return _transposed(layer)
    raise NotImplementedError(type(layer))


def _kind(name: str) -> Place:
    number = engine.FIRST_STRUCTURE_KIND + engine.STRUCTURE_KINDS.index(name)
    return Place(number, f"SATKD_ENGINE_{name}")


def _reduction(layer: Reduction) -> dict[str, int | Place]:
    return {
        "kind": _kind("REDUCTION"),
        "kernel_width": layer.codes,
        "path.column": layer.between_outputs,
        "path.channel": layer.between_codes,
        "zero_point_in": layer.inputs[0].zero_point,
        "zero_point_out": layer.output.zero_point,
        "scale_out.multiplier": layer.multiplier,
        "scale_out.shift": layer.shift,
    }


def _selection(layer: Selection, context: Context) -> dict[str, int | Place]:
    given, rows = layer.inputs[0], layer.sources[ROWS]
    start, path = 0, [0, 0, 0]
    sizes = context.plan.ring_of[given].row_bytes, given.channels, 1
    for axis, (size, source) in enumerate(zip(sizes, layer.sources, strict=True)):
        if axis == source.axis == ROWS:  # the row is chosen by its number
            continue
        start += size * source.first
        path[source.axis] += size * source.step
    words: dict[str, int | Place] = {
        "kind": _kind("SELECTION"),
        "width_out": layer.width,
        "channels_out": layer.channels,
        "path.start": start,
    }
    words |= dict(zip(("path.row", "path.column", "path.channel"), path, strict=True))
    return words | ({"stride_height": rows.step, "pad_top": -rows.first} if rows.axis == ROWS else {})


def _concatenation(layer: Concatenation) -> dict[str, int | Place]:
    words: dict[str, int | Place] = {"kind": _kind("CONCATENATION")}
    if layer.axis != COLUMNS:
        return words
    # One pixel of all codes of a row.
    given, output = layer.inputs[0].row_codes, layer.output.row_codes
    return words | {"width_in": 1, "channels_in": given, "width_out": 1, "channels_out": output}


def _transposed(layer: TransposedConvolution) -> dict[str, int | Place]:
    return {
        "kind": _kind("TRANSPOSED_CONVOLUTION"),
        **vars(layer.window),
        "zero_point_in": layer.inputs[0].zero_point,
        "zero_point_out": layer.output.zero_point,
        "lowest": layer.lowest,
        "highest": layer.highest,
    }
