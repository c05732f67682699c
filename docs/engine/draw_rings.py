"""`python docs/engine/draw_rings.py`: draw `rings.svg`, the shipped ResNet8's rings and schedule, from its plan."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from firmware_export.rows.layers import Convolution, Layer
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import SOURCE, Plan, Ring, plan
from firmware_export.tflite.reader import read

MODEL = Path(__file__).parents[2] / "keras_satkd" / "pretrained" / "resnet8_eurosat_int8.tflite"
PICTURE = Path(__file__).with_name("rings.svg")
PUSHED = 40
"""The rings are drawn when so many rows of the image have been pushed."""
COLUMNS = 24
"""Rows of the image in the schedule's table."""

# Okabe and Ito's colors, and greys that differ in print.
_NEEDED, _FREE, _SKIP, _INK = "#56b4e9", "#eeeeee", "#d55e00", "#222222"
_SLOT, _GAP, _INCHES_A_BYTE = 0.15, 0.48, 2.0 / 1056
_MAIN, _SIDE = 3.4, 6.1  # the columns' middles, inches
_HEIGHT = 13.1


def draw(planned: Plan, picture: Path) -> None:
    """Write the picture as SVG; the same plan always gives the same bytes."""
    matplotlib.rcParams.update({"font.size": 8.5, "svg.hashsalt": "rings", "text.color": _INK})
    figure = pyplot.figure(figsize=(8.2, _HEIGHT))
    rings = figure.add_axes((0, 0.3, 1, 0.7))
    rings.set(xlim=(0, 8.2), ylim=(-0.7 * _HEIGHT, 0))
    rings.axis("off")
    _draw_rings(rings, planned)
    table = figure.add_axes((0.2, 0.012, 0.785, 0.243))
    _draw_schedule(table, planned)
    figure.savefig(picture, metadata={"Date": None})


def _draw_rings(axes: Axes, planned: Plan) -> None:
    network, held = planned.network, _held(planned, PUSHED)
    places = _places(planned)
    axes.text(0.15, -0.2, "The rings", fontsize=12, weight="bold", va="center")
    axes.text(
        0.15,
        -0.42,
        f"after {PUSHED} of {network.input.height} rows of the image; each bar is a slot, its number the row in it",
        va="center",
    )
    for x, color, said in ((5.35, _NEEDED, "still to be read"), (6.85, _FREE, "free")):
        axes.add_patch(pyplot.Rectangle((x, -0.49), 0.3, _SLOT, facecolor=color, edgecolor=_INK, lw=0.7))
        axes.text(x + 0.38, -0.42, said, va="center")
    for i, ring in enumerate(planned.rings):
        _draw_ring(axes, i, ring, places[i], held[i])
    for position, layer in enumerate(network.layers, start=1):
        _draw_layer(axes, planned, position, layer, places)
    total = f"{planned.ring_bytes:,} bytes in all rings"
    axes.text(_SIDE, places[-1][1] - _SLOT / 2, total, weight="bold", ha="center", va="center")


def _places(planned: Plan) -> list[tuple[float, float]]:
    """The middle of each ring's top edge: what an addition alone waits for stands beside, everything else in a line."""
    aside = {
        planned.rings.index(planned.ring_of[waiting])
        for layer in planned.network.layers
        if layer.is_elementwise and len(layer.inputs) > 1
        for waiting in layer.inputs
        if planned.ring_of[waiting] is not planned.ring_of[layer.output]
        and sum(waiting in other.inputs for other in planned.network.layers) == 1
    }
    places, top = [], -0.75
    for i, ring in enumerate(planned.rings):
        if i in aside:  # its addition's ring was made just before: level with the gap above that
            places.append((_SIDE, places[-1][1] + _GAP / 2 + _SLOT / 2))
        else:
            places.append((_MAIN, top))
            top -= ring.depth * _SLOT + _GAP
    return places


def _held(planned: Plan, pushed: int) -> list[dict[int, tuple[int, bool]]]:
    """For each ring, by slot: the row in it and whether a layer still reads that."""
    layers = planned.network.layers
    steps = [0] * (len(layers) + 1)
    for number in planned.schedule:
        if number == SOURCE and steps[SOURCE] == pushed:
            break
        steps[number] += 1
    found = []
    for ring in planned.rings:
        writer = next((i for i, layer in enumerate(layers, start=1) if layer.output == ring.tensor), SOURCE)
        made = steps[writer] if writer == SOURCE or not steps[writer] else layers[writer - 1].begun(steps[writer] - 1)
        readers = [(layer, steps[i]) for i, layer in enumerate(layers, start=1) if ring.tensor in layer.inputs]
        found.append(
            {
                row % ring.depth: (
                    row,
                    any(row in layer.reads(s) for layer, done in readers for s in range(done, layer.steps)),
                )
                for row in range(max(0, made - ring.depth), made)
            }
        )
    return found


def _draw_ring(
    axes: Axes, number: int, ring: Ring, place: tuple[float, float], held: dict[int, tuple[int, bool]]
) -> None:
    x, top = place
    width = _width(ring)
    for slot in range(ring.depth):
        row, is_needed = held.get(slot, (None, False))
        color = _NEEDED if is_needed else _FREE
        bottom = top - (slot + 1) * _SLOT
        axes.add_patch(pyplot.Rectangle((x - width / 2, bottom), width, _SLOT, facecolor=color, edgecolor=_INK, lw=0.7))
        if row is not None and width > 0.3:
            axes.text(x, bottom + _SLOT / 2, str(row), fontsize=7.5, ha="center", va="center_baseline")
    tensor = ring.tensor
    shape = f"{tensor.height} × {tensor.width} × {tensor.channels}"
    kept = f"{ring.depth} of {tensor.height} rows" if tensor.height > 1 else "1 row"
    said = f"rows_{number}: {shape}\n{kept}, {ring.bytes:,} B"
    middle = top - ring.depth * _SLOT / 2
    if x == _MAIN:
        axes.text(x - 1.25, middle, said, ha="right", va="center", linespacing=1.35)
    else:
        axes.text(x, top + 0.07, said, ha="center", va="bottom", linespacing=1.35)


def _width(ring: Ring) -> float:
    return max(ring.row_bytes * _INCHES_A_BYTE, 0.12)


def _draw_layer(axes: Axes, planned: Plan, position: int, layer: Layer, places: list[tuple[float, float]]) -> None:
    target = planned.rings.index(planned.ring_of[layer.output])
    for given in layer.inputs:
        source = planned.rings.index(planned.ring_of[given])
        if source == target:
            continue
        start_x, start_top = places[source]
        end_x, end_top = places[target]
        depth = planned.rings[source].depth
        start_bottom = start_top - depth * _SLOT
        half = _width(planned.rings[target]) / 2
        middle = end_top - planned.rings[target].depth * _SLOT / 2
        label = f"{position}  {_said(layer)}"
        if layer.is_elementwise:
            from_x = start_x + _width(planned.rings[source]) / 2 if start_x == end_x else start_x
            from_y = start_top - depth * _SLOT / 2 if start_x == end_x else start_bottom
            corner = from_x + 0.3 if start_x == end_x else start_x
            axes.plot([from_x, corner, corner], [from_y, from_y, middle], color=_SKIP, lw=1.6)
            _arrow(axes, (corner, middle), (end_x + half, middle), _SKIP)
            if start_x == end_x:
                axes.text(corner + 0.08, (from_y + middle) / 2, label, color=_SKIP, weight="bold", va="center")
            else:
                axes.text(corner - 0.1, middle + 0.04, label, color=_SKIP, weight="bold", ha="right", va="bottom")
        elif end_x == start_x:
            _arrow(axes, (start_x, start_bottom), (end_x, end_top), _INK)
            axes.text(start_x + 0.1, (start_bottom + end_top) / 2, label, va="center")
        else:
            from_x = start_x + _width(planned.rings[source]) / 2
            from_y = start_top - (depth - 0.5) * _SLOT
            corner = end_x - half - 0.25
            side = end_top - _SLOT * planned.rings[target].depth / 2
            axes.plot([from_x, corner, corner], [from_y, from_y, side], color=_INK, lw=1.0)
            _arrow(axes, (corner, side), (end_x - half, side), _INK)
            axes.text(corner + 0.08, from_y - 0.04, label, va="top")


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    style = {"arrowstyle": "-|>", "color": color, "lw": 1.6 if color == _SKIP else 1.0, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


def _said(layer: Layer) -> str:
    if layer.is_elementwise:
        return f"{layer.operator}, in place"
    if isinstance(layer, Convolution) and layer.window.kernel_height > 1:
        window = layer.window
        stride = f" / {window.stride_height}" if window.stride_height > 1 else ""
        return f"{layer.operator} {window.kernel_height}×{window.kernel_width}{stride}"
    return layer.operator


def _draw_schedule(axes: Axes, planned: Plan) -> None:
    layers = planned.network.layers
    axes.set(xlim=(-0.5, COLUMNS - 0.5), ylim=(len(layers) + 0.5, -0.5))
    steps = [0] * (len(layers) + 1)
    for number in planned.schedule:
        if number == SOURCE and steps[SOURCE] == COLUMNS:
            break
        column = steps[SOURCE] - (number != SOURCE)
        color = _SKIP if number and layers[number - 1].is_elementwise else _NEEDED
        axes.add_patch(
            pyplot.Rectangle((column - 0.46, number - 0.42), 0.92, 0.84, facecolor=color if number else _FREE)
        )
        shade = "white" if color == _SKIP else _INK
        axes.text(column, number, steps[number], fontsize=7, ha="center", va="center_baseline", color=shade)
        steps[number] += 1
    axes.set_yticks(range(len(steps)), ["image", *(f"{i}  {_said(layer)}" for i, layer in enumerate(layers, start=1))])
    axes.set_xticks([])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.text(-5.6, -2.4, "The schedule", fontsize=12, weight="bold", va="center")
    axes.text(
        -5.6,
        -1.3,
        f"a column is one call of satkd_push_row, of the first {COLUMNS}; a number is the step that a layer then takes",
        va="center",
    )


if __name__ == "__main__":
    draw(plan(lower(read(MODEL.read_bytes()))), PICTURE)
