"""Compile a model to the two files of the row engine, and report their costs."""

import re
from dataclasses import dataclass
from typing import Any

from firmware_export.common import defaults
from firmware_export.common.templating import render_template
from firmware_export.facts import package_version
from firmware_export.rows import emit, fast_kernels, naming
from firmware_export.rows.check_plan import check
from firmware_export.rows.constants import Constants, constants
from firmware_export.rows.layers import Convolution, Layer, Network, Tensor
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import Plan, Ring, plan
from firmware_export.tflite.graph import Graph
from firmware_export.tflite.model import Model

FILES = ("satkd_model.c", "satkd_model.h")
"""The files that `compile_rows` generates, sorted, with the default prefix."""

_WORD = 4


@dataclass(frozen=True)
class RingReport:
    """One ring buffer: the tensors that share it in turn, and how many of their rows it holds."""

    tensors: tuple[str, ...]
    rows: int
    of_rows: int
    bytes: int
    is_whole: bool
    """Whether all rows of a tensor with several rows are held, because a layer needs them."""


@dataclass(frozen=True)
class RowsReport:
    """The costs of a model in the row engine, in bytes."""

    prefix: str
    """The prefix of every name and file of the generated C."""

    context_bytes: int
    """Rings and counters, without `scratch_bytes`."""
    scratch_bytes: dict[str, int]
    """Scratch memory of the kernels: `portable`, `dsp` (Cortex-M4, M7) and `mve` (M55)."""
    constants_bytes: int
    """Weights, biases, multipliers, tables and schedule, without code."""
    constants_crc32: int
    steps: int
    """Length of the schedule."""
    rings: tuple[RingReport, ...]


@dataclass(frozen=True)
class CheckedRowsReport(RowsReport):
    """A report on C that was compiled on this host and compared with TensorFlow Lite Micro."""

    compiled_with: str | None
    """First line of the compiler's `--version`; None if no compiler was found and nothing was compared."""


@dataclass(frozen=True)
class RowsModel:
    """The generated text by file name, and the report on it."""

    files: dict[str, str]
    report: RowsReport


def provenance(model: Model, command: str) -> dict[str, Any]:
    """The template values for the header comment of every generated file."""
    return {
        # It must not end the comment or the line that contains it.
        "command": "".join(c if c.isprintable() else "?" for c in command).replace("*/", "* /"),
        "version": package_version(),
        "size": model.size,
        "sha256": model.sha256,
    }


def compile_rows(model: Model, command: str, prefix: str = defaults.ENGINE_PREFIX) -> RowsModel:
    """Turn a model into C99 that runs it row by row.

    Args:
        model: int8, with batch 1.
        command: the command that regenerates the files, quoted in them.
        prefix: of every name and file of the C.

    Raises:
        UserError: the model cannot run on a microcontroller or in the row engine, or the prefix cannot begin a C
            identifier.
    """
    naming.check_prefix(prefix)
    planned = plan(lower(model))
    check(planned)
    arrays = constants(planned)
    context = {**provenance(model, command), **_context(planned, arrays, model.graph)}
    return RowsModel(
        naming.rename({file: render_template(f"rows/{file}", context) for file in FILES}, prefix),
        RowsReport(
            prefix=prefix,
            context_bytes=context["context_bytes"],
            scratch_bytes=context["scratch_bytes"],
            constants_bytes=len(arrays.content),
            constants_crc32=arrays.crc32,
            steps=len(planned.schedule),
            rings=tuple(map(_ring_report, planned.rings)),
        ),
    )


def _ring_report(ring: Ring) -> RingReport:
    names = tuple(tensor.name for tensor in ring.tensors)
    return RingReport(names, ring.depth, ring.tensor.height, ring.bytes, ring.is_whole)


def _context(planned: Plan, arrays: Constants, graph: Graph) -> dict[str, Any]:
    network = planned.network
    first, last = network.input, network.output
    members, context_bytes = _members(planned)
    return {
        "summary": f"{_shape(first)} in, {_shape(last)} out, {len(network.layers)} layers, {graph.macs} MACs.",
        "context_bytes": context_bytes,
        "scratch_bytes": _scratch_bytes(network),
        "members": members,
        "rows": first.height,
        "row_bytes": first.row_codes,
        "width": first.width,
        "channels": first.channels,
        "outputs": last.height * last.row_codes,
        "has_pixels": network.has_pixel_input,
        "input_type": "uint8_t" if network.has_pixel_input else "int8_t",
        "input_scale": f"{graph.inputs[0].scale:.9g}",
        "input_zero_point": first.zero_point,
        "output_scale": f"{graph.outputs[0].scale:.9g}",
        "output_zero_point": last.zero_point,
        "declarations": list(arrays.declarations()),
        "initializers": list(arrays.initializers()),
        "constants_bytes": len(arrays.content),
        "crc32": arrays.crc32,
        "layers": [_layer(planned, position, layer) for position, layer in enumerate(network.layers, start=1)],
        "begun": arrays.crc32 | 1,  # never 0, the value of cleared memory
        "schedule": len(planned.schedule),
        "pads": [
            emit.call("satkd_fill", f"context->rows_{i}", ring.bytes, ring.tensor.zero_point)
            for i, ring in enumerate(planned.rings)
            if ring.pad_left or ring.pad_right
        ],
        "input_address": emit.row_address(planned, first, "step"),
        "output_rows": last.height,
        "output_row_codes": last.row_codes,
        "output_address": emit.row_address(planned, last, "row"),
    }


def _scratch_bytes(network: Network) -> dict[str, int]:
    sizes = [
        fast_kernels.conv_scratch_bytes(
            w.kernel_height, w.kernel_width, layer.inputs[0].channels, layer.output.channels
        )
        for layer in network.layers
        if isinstance(layer, Convolution) and emit.has_fast_kernel(layer)
        for w in [layer.window]
    ]
    return {kernels: max((size[kernels] for size in sizes), default=0) for kernels in ("portable", "dsp", "mve")}


def _members(planned: Plan) -> tuple[list[str], int]:
    """The members of the context after its first two words, and the size of the whole context."""
    steps = len(planned.network.layers) + 1
    steps += steps % 2
    members = [f"uint16_t steps[{steps}]; /* done: rows of the image, then steps of each layer */"]
    size = 2 * _WORD + 2 * steps
    for position, layer in enumerate(planned.network.layers, start=1):
        if layer.sums:
            members.append(f"int32_t sums_{position}[{layer.sums}];")
            size += _WORD * layer.sums
    for i, ring in enumerate(planned.rings):
        held = f"{ring.depth} of {ring.tensor.height} rows of {ring.row_bytes} bytes"
        members.append(f"int8_t rows_{i}[{ring.bytes}]; /* {held} */")
        size += ring.bytes
    return members, size


def _layer(planned: Plan, position: int, layer: Layer) -> dict[str, Any]:
    given = ", ".join(map(_shape, layer.inputs))
    body = emit.body(layer, planned, position)
    is_single = not any(re.search(r"\bstep\b", line) for line in body)
    return {
        "position": position,
        "comment": f"{layer.operator}, {given} to {_shape(layer.output)}",
        "body": [*(["(void)step;"] if is_single else []), *body],
    }


def _shape(tensor: Tensor) -> str:
    return f"{tensor.height} x {tensor.width} x {tensor.channels}"
