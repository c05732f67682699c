"""Compile a model to data for the row engine, and report its costs."""

import zlib
from dataclasses import dataclass
from typing import Any

from firmware_export.common import defaults
from firmware_export.common.c_text import check_prefix
from firmware_export.common.dense_scale import DenseScale
from firmware_export.common.harden import Harden
from firmware_export.common.steps import step
from firmware_export.common.templating import render_template
from firmware_export.facts import package_version
from firmware_export.rows import engine
from firmware_export.rows.check_plan import check
from firmware_export.rows.emit import Image, image
from firmware_export.rows.layers import Convolution, Layer, Tensor
from firmware_export.rows.least_memory import plan_memory
from firmware_export.rows.lower import lower
from firmware_export.rows.ring import Ring
from firmware_export.tflite.graph import Graph
from firmware_export.tflite.model import Model


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
class LayerReport:
    """One layer of the schedule."""

    kind: str
    """The operator; for convolutions, also the window, such as `CONV_2D 3x3`."""
    macs: int


@dataclass(frozen=True)
class RowsReport:
    """The costs of a model in the row engine, in bytes."""

    prefix: str
    """The prefix of every name and file of the generated C."""

    harden: str
    """The level of `--harden`."""

    context_bytes: int
    """Rings and counters, without `scratch_bytes`."""
    scratch_bytes: dict[str, int]
    """Scratch memory of the kernels: `portable`, `dsp` (Cortex-M4, M7) and `mve` (M55)."""
    constants_bytes: int
    """Layers, weights, biases, multipliers, tables and schedule, without code."""
    constants_crc32: int
    steps: int
    """Length of the schedule."""
    layers: tuple[LayerReport, ...]
    """In the order of the model; the schedule's entry of the first is 1."""
    rings: tuple[RingReport, ...]
    engine_version: int
    engine_sha256: str
    """Of the engine's files, which are the same in every export of this version."""


@dataclass(frozen=True)
class CheckedRowsReport(RowsReport):
    """A report on C that was compiled on this host and compared with TensorFlow Lite Micro."""

    compiled_with: str | None
    """First line of the compiler's `--version`; None if no compiler was found and nothing was compared."""


@dataclass(frozen=True)
class RowsModel:
    """The generated text and the engine's by file name, and the report."""

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


@step("planning the row engine")
def compile_rows(
    model: Model,
    command: str,
    prefix: str = defaults.ENGINE_PREFIX,
    harden: Harden = Harden.CONTROL,
    dense_scale: DenseScale = DenseScale.DOUBLE,
    scaling_file: str | None = None,
) -> RowsModel:
    """Turn a model into C99 that runs it row by row.

    Args:
        model: int8, with batch 1.
        command: the command that regenerates the files, quoted in them.
        prefix: of every name and file of the C.
        harden: the checks that the engine makes while it runs the model.
        dense_scale: how TFLM multiplies the scales of a dense layer.
        scaling_file: the header that makes pixels of raw samples; None if there is none.

    Raises:
        UserError: the model cannot run on a microcontroller or in the row engine, or the prefix cannot begin a C
            identifier.
    """
    check_prefix(prefix)
    planned = plan_memory(lower(model, dense_scale), shares=not harden.has_data_checks)
    compiled = image(planned, prefix, harden)
    check(planned, compiled.context.arrangement)
    values = {
        **provenance(model, command),
        **_template_values(compiled, model.graph, prefix),
        "harden": harden.value,
        "has_data_checks": harden.has_data_checks,
        "is_correcting": harden is Harden.CORRECT,
        "scaling_file": scaling_file,
    }
    generated = {f"{prefix}_{name}": render_template(f"rows/satkd_{name}", values) for name in engine.MODEL_FILES}
    return RowsModel(
        generated | dict(engine.files()),
        RowsReport(
            prefix=prefix,
            harden=harden.value,
            context_bytes=compiled.context.bytes,
            scratch_bytes=compiled.context.scratch_bytes,
            constants_bytes=len(compiled.content),
            constants_crc32=zlib.crc32(compiled.content),
            steps=len(planned.schedule),
            layers=tuple(LayerReport(_kind(layer), layer.steps * layer.step_macs) for layer in planned.network.layers),
            rings=tuple(map(_ring_report, planned.rings)),
            engine_version=engine.version(),
            engine_sha256=engine.digest(),
        ),
    )


def _kind(layer: Layer) -> str:
    if not isinstance(layer, Convolution) or layer.operator == "FULLY_CONNECTED":
        return layer.operator
    return f"{layer.operator} {layer.window.kernel_height}x{layer.window.kernel_width}"


def _ring_report(ring: Ring) -> RingReport:
    names = tuple(tensor.name for tensor in ring.tensors)
    return RingReport(names, ring.depth, ring.tensor.height, ring.bytes, ring.is_whole)


def _template_values(image: Image, graph: Graph, prefix: str) -> dict[str, Any]:
    network, constants, context = image.plan.network, image.constants, image.context
    first, outputs = network.input, ", ".join(map(_shape, network.outputs))
    return {
        "prefix": prefix,
        "macros": prefix.upper(),
        "summary": f"{_shape(first)} in, {outputs} out, {len(network.layers)} layers, {graph.macs} MACs.",
        "engine_version": engine.version(),
        "engine_sha256": engine.digest(),
        "context_bytes": context.bytes,
        "scratch_bytes": context.scratch_bytes,
        "most_scratch_bytes": max(context.scratch_bytes.values()),
        "members": [member.declaration for member in context.members],
        "rows": first.height,
        "row_bytes": first.row_codes,
        "width": first.width,
        "channels": first.channels,
        "outputs": sum(tensor.height * tensor.row_codes for tensor in network.outputs),
        "has_pixels": network.has_pixel_input,
        "input_type": "uint8_t" if network.has_pixel_input else "int8_t",
        "input_scale": f"{graph.inputs[0].scale:.9g}",
        "input_zero_point": first.zero_point,
        "results": [
            {
                "first": network.first_code(tensor),
                "shape": _shape(tensor),
                "scale": f"{stored.scale:.9g}",
                "zero_point": tensor.zero_point,
            }
            for tensor, stored in zip(network.outputs, graph.outputs, strict=True)
        ],
        "model": list(image.model.initializers()),
        "layers": [
            {"comment": _comment(layer), "lines": list(structure.initializers())}
            for layer, structure in zip(network.layers, image.layers, strict=True)
        ],
        "fills": [" ".join(fill.initializers()) for fill in image.fills],
        "declarations": list(constants.declarations()),
        "arrays": list(constants.initializers()),
        "step_macs": max(layer.step_macs for layer in network.layers),
        "words_bytes": constants.words_bytes,
        "constants_bytes": len(image.content),
        "crc32": zlib.crc32(image.content),
    }


def _comment(layer: Layer) -> str:
    return f"{layer.operator}, {', '.join(map(_shape, layer.inputs))} to {_shape(layer.output)}"


def _shape(tensor: Tensor) -> str:
    return f"{tensor.height} x {tensor.width} x {tensor.channels}"
