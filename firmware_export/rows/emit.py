"""The C text of each layer: a call of its kernel with its parameters as literals.

The context holds the rings as `rows_<i>` and the sums as `sums_<position>`; arrays are in `satkd_constants`.
"""

import textwrap
from functools import singledispatch
from typing import Any

from firmware_export.rows import fast_kernels
from firmware_export.rows.constants import outside_name
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
    Windowed,
)
from firmware_export.rows.plan import Plan

_LINE = 118  # after an indent of two


def ring_address(plan: Plan, tensor: Tensor, *, pads: int = 0) -> str:
    """C address where a tensor's ring begins: its first pixel, or `pads` pixels of padding before it."""
    ring = plan.ring_of[tensor]
    start = (ring.pad_left - pads) * tensor.channels
    return f"context->rows_{plan.rings.index(ring)}" + (f" + {start}" if start else "")


def row_address(plan: Plan, tensor: Tensor, row: str) -> str:
    """C address of the first pixel of a row; `row` is a C expression for the row number."""
    ring = plan.ring_of[tensor]
    if ring.depth == 1:
        return ring_address(plan, tensor)
    slot = row if ring.depth >= tensor.height else f"{row} % {ring.depth}"
    return f"{ring_address(plan, tensor)} + {slot} * {ring.row_bytes}"


def call(name: str, *arguments: Any) -> str:
    """A statement that calls a function, wrapped to the line length."""
    statement = f"{name}({', '.join(map(str, arguments))});"
    return textwrap.fill(statement, _LINE, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False)


@singledispatch
def body(layer: Layer, plan: Plan, position: int) -> list[str]:
    """The statements of one step of a layer; in C, `step` is the step number."""
    raise NotImplementedError(type(layer))


@body.register
def _(layer: Convolution, plan: Plan, position: int) -> list[str]:
    window, given, output = layer.window, layer.inputs[0], layer.output
    is_depthwise = layer.depth_multiplier is not None
    kernel = "satkd_depthwise_row" if is_depthwise else "satkd_conv_row_portable"
    if has_fast_kernel(layer):
        kernel = "satkd_conv_row"
    return [
        *_find_rows(layer, plan, window.kernel_height, _first_row(layer), window.pad_left),
        call(
            kernel,
            "rows",
            row_address(plan, output, "step"),
            *(f"satkd_constants.{name}_{position}" for name in ("weights", "bias", "multiplier", "shift")),
            window.kernel_height,
            window.kernel_width,
            window.stride_width,
            given.channels,
            layer.depth_multiplier if is_depthwise else output.channels,
            output.width,
            output.zero_point,
            layer.lowest,
            layer.highest,
            *(["SATKD_SCRATCH"] if has_fast_kernel(layer) else []),
        ),
    ]


def has_fast_kernel(layer: Layer) -> bool:
    """Whether a core-specific kernel can run a layer: a convolution whose sums it computes exactly."""
    return (
        isinstance(layer, Convolution)
        and layer.depth_multiplier is None
        and fast_kernels.fits_fast_sums(layer.weights, layer.bias)
    )


@body.register
def _(layer: Pool, plan: Plan, position: int) -> list[str]:
    window, given, output = layer.window, layer.inputs[0], layer.output
    kernel = "satkd_average_pool_row" if layer.operator == "AVERAGE_POOL_2D" else "satkd_max_pool_row"
    first, count = _first_row(layer), str(window.kernel_height)
    clipped = []
    if layer.sees_outside:
        clipped = [
            f"const int top = {first};",
            "const int first = top > 0 ? top : 0;",
            f"const int last = top + {count} < {given.height} ? top + {count} : {given.height};",
        ]
        first, count = "first", "last - first"
    return [
        *clipped,
        *_find_rows(layer, plan, count, first, 0),
        call(
            kernel,
            "rows",
            row_address(plan, output, "step"),
            count,
            *_across(layer.window, given, output),
            layer.lowest,
            layer.highest,
        ),
    ]


def _first_row(layer: Windowed) -> str:
    stride, pad = layer.window.stride_height, layer.window.pad_top
    scaled = "step" if stride == 1 else f"step * {stride}"
    return f"{scaled} - {pad}" if pad else scaled


def _find_rows(layer: Windowed, plan: Plan, count: Any, first: str, pads: int) -> list[str]:
    given = layer.inputs[0]
    ring = plan.ring_of[given]
    outside = "NULL"
    if isinstance(layer, Convolution) and layer.sees_outside:
        outside = f"satkd_constants.{outside_name(given.zero_point)}"
    address = ring_address(plan, given, pads=pads)
    return [
        f"const int8_t *rows[{layer.window.kernel_height}];",
        call("satkd_find_rows", "rows", count, first, address, ring.depth, ring.row_bytes, given.height, outside),
    ]


def _across(window: Any, given: Tensor, output: Tensor) -> tuple[int, ...]:
    """The arguments of a pooling kernel that describe a row."""
    return window.kernel_width, window.stride_width, window.pad_left, given.width, given.channels, output.width


@body.register
def _(layer: AveragePoolByRow, plan: Plan, position: int) -> list[str]:
    window, given, output = layer.window, layer.inputs[0], layer.output
    padded = f"(step + {window.pad_top})" if window.pad_top else "step"
    across = _across(window, given, output)
    is_first = "line == 0 || step == 0" if window.pad_top else "line == 0"
    rows = "(step < line ? step : line) + 1" if window.pad_top else "line + 1"
    return [
        f"const int window = {padded} / {window.stride_height};",
        f"const int line = {padded} % {window.stride_height};",
        f"if (window >= {output.height} || line >= {window.kernel_height}) return;",
        call("satkd_sum_row", row_address(plan, given, "step"), f"context->sums_{position}", is_first, *across),
        f"if (line != {window.kernel_height - 1} && step != {given.height - 1}) return;",
        call(
            "satkd_average_row",
            f"context->sums_{position}",
            row_address(plan, output, "window"),
            rows,
            *across,
            layer.lowest,
            layer.highest,
        ),
    ]


@body.register
def _(layer: Mean, plan: Plan, position: int) -> list[str]:
    given, output = layer.inputs[0], layer.output
    sums = f"context->sums_{position}"
    return [
        call(
            "satkd_sum_row",
            row_address(plan, given, "step"),
            sums,
            "step == 0",
            given.width,
            1,
            0,
            given.width,
            given.channels,
            1,
        ),
        f"if (step != {given.height - 1}) return;",
        call(
            "satkd_mean_row",
            sums,
            ring_address(plan, output),
            output.channels,
            given.zero_point * given.height * given.width,
            layer.multiplier,
            layer.shift,
            output.zero_point,
        ),
    ]


@body.register
def _(layer: Add, plan: Plan, position: int) -> list[str]:
    a, b = layer.inputs
    scaling_a, scaling_b, scaling = layer.scalings
    return [
        call(
            "satkd_add_row",
            row_address(plan, a, "step"),
            row_address(plan, b, "step"),
            row_address(plan, layer.output, "step"),
            layer.output.row_codes,
            a.zero_point,
            *scaling_a,
            b.zero_point,
            *scaling_b,
            layer.output.zero_point,
            *scaling,
            layer.lowest,
            layer.highest,
        )
    ]


def _pointwise(layer: Layer, plan: Plan) -> tuple[str, str]:
    return row_address(plan, layer.inputs[0], "step"), row_address(plan, layer.output, "step")


@body.register
def _(layer: Lookup, plan: Plan, position: int) -> list[str]:
    return [
        call("satkd_lookup_row", *_pointwise(layer, plan), layer.output.row_codes, f"satkd_constants.table_{position}")
    ]


@body.register
def _(layer: Softmax, plan: Plan, position: int) -> list[str]:
    output = layer.output
    table = f"satkd_constants.exponentials_{position}"
    return [call("satkd_softmax_row", *_pointwise(layer, plan), table, output.width, output.channels)]


@body.register
def _(layer: Reshape, plan: Plan, position: int) -> list[str]:
    given, ring = layer.inputs[0], plan.ring_of[layer.output]
    return [
        call(
            "satkd_reshape_row",
            row_address(plan, given, "step"),
            ring_address(plan, layer.output),
            "step",
            given.row_codes,
            layer.output.row_codes,
            ring.depth,
            ring.row_bytes,
        )
    ]


@body.register
def _(layer: Pad, plan: Plan, position: int) -> list[str]:
    given, output = layer.inputs[0], layer.output
    row = f"(step - {layer.top})" if layer.top else "step"
    source = row_address(plan, given, row)
    if output.height != given.height:
        source = f"{row} >= 0 && {row} < {given.height} ? {source} : NULL"
    shape = (given.width, given.channels, output.width, output.channels)
    return [
        call("satkd_pad_row", source, row_address(plan, output, "step"), layer.left, layer.front, *shape, layer.value)
    ]
