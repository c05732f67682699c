"""What an export knows when it is done: the content of `export.json`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from firmware_export.facts import ModelFacts, package_version
from firmware_export.tflite.graph import Operator
from firmware_export.verify.abstention import CONFIDENCE, Unsure
from firmware_export.verify.keras_parity import KerasParity
from firmware_export.verify.kernel_parity import KernelParity


@dataclass(frozen=True)
class ExportReport:
    """What was exported and what is known about it; `export.json` holds the same."""

    command: str
    version: str
    symbol: str
    sha256: str
    """Of the model that is shipped."""
    given_sha256: str
    """Of the model as it was given: another one where the shipped one carries a memory plan of ours."""
    crc32: str
    flash_bytes: int
    """The model's, which is all that the array adds to flash; kernels come on top."""
    arena_bytes: int
    """The least with which TFLM prepares the model on this 64-bit host."""
    given_arena_bytes: int
    """The same for the model as it was given."""
    arena_bytes_with_margin: int
    arena_margin_rule: str
    macs: int
    parameters: int
    operators: dict[str, int]
    layers: tuple[dict[str, Any], ...]
    """For each operator, in execution order: operator, output (its tensor's name), output_shape, output_scale,
    output_zero_point, macs, parameters."""
    input_shape: tuple[int, ...]
    input_scale: float
    input_zero_point: int
    has_unit_input: bool
    """Whether firmware feeds `pixel ^ 0x80`; otherwise it must quantize its input itself."""
    output_shape: tuple[int, ...]
    output_scale: float
    output_zero_point: int
    class_names: tuple[str, ...]
    verified_images: int
    images_are_real: bool
    kernel_parity: tuple[dict[str, Any], ...]
    """For each operator's output: elements compared, how many differ between TFLM and TFLite's reference kernels."""
    keras_parity: dict[str, int] | None
    golden_vectors: dict[str, Any]
    """How many, their bytes, the SHA-256 of inputs and outputs, and the index of each answer."""
    unsure: dict[str, Any]
    """The classifier's least margin in output codes, its reason, and where labelled images were given: error_rate,
    confidence, images, accuracy, and curve (margin, coverage, risk, risk_bound at every margin that occurs)."""
    compiled_with: str | None
    """None: no C++ compiler was found, and the array was read back from its text alone; or no array was asked for."""
    files: tuple[str, ...]
    targets: tuple[dict[str, Any], ...]
    """What each known part has and what is needed of it, in bytes; by TFLM and by the row engine; code is an
    estimate (`fitting.CODE_BYTES`)."""
    rows: dict[str, Any] | None
    """What the row engine needs (`rows.render.RowsReport`); None where its files were not asked for."""


def make(
    facts: ModelFacts,
    *,
    parity: KernelParity,
    keras: KerasParity | None,
    golden: dict[str, Any],
    unsure: Unsure,
    compiled_with: str | None,
    files: Sequence[str],
    parts: Sequence[dict[str, Any]],
    rows: dict[str, Any] | None,
) -> ExportReport:
    """Put together what the steps of an export found."""
    graph = facts.graph
    source, sink = graph.inputs[0], graph.outputs[0]
    return ExportReport(
        command=facts.command,
        version=package_version(),
        symbol=facts.symbol,
        sha256=facts.sha256,
        given_sha256=facts.given_sha256,
        crc32=f"0x{facts.crc32:08x}",
        flash_bytes=len(facts.model),
        arena_bytes=facts.arena.least_bytes,
        given_arena_bytes=facts.arena.given_bytes,
        arena_bytes_with_margin=facts.arena.bytes_with_margin,
        arena_margin_rule=facts.arena.margin_rule,
        macs=graph.macs,
        parameters=graph.parameters,
        operators=graph.operator_counts,
        layers=tuple(_layer(operator) for operator in graph.operators),
        input_shape=source.shape,
        input_scale=source.scale,
        input_zero_point=source.zero_point,
        has_unit_input=graph.has_unit_input,
        output_shape=sink.shape,
        output_scale=sink.scale,
        output_zero_point=sink.zero_point,
        class_names=facts.class_names,
        verified_images=facts.verified_images,
        images_are_real=facts.images_are_real,
        kernel_parity=tuple(map(asdict, parity.tensors)),
        keras_parity=None if keras is None else asdict(keras),
        golden_vectors=golden,
        unsure=_unsure(unsure),
        compiled_with=compiled_with,
        files=tuple(files),
        targets=tuple(parts),
        rows=rows,
    )


def _layer(operator: Operator) -> dict[str, Any]:
    output = operator.outputs[0]
    return {
        "operator": operator.name,
        "output": output.name,
        "output_shape": output.shape,
        "output_scale": output.scales[0] if output.scales else None,
        "output_zero_point": output.zero_point,
        "macs": operator.macs,
        "parameters": operator.parameters,
    }


def _unsure(unsure: Unsure) -> dict[str, Any]:
    said: dict[str, Any] = {"least_margin": unsure.least_margin, "reason": unsure.reason}
    if unsure.curve is None:
        return said
    rows = zip(*(column.tolist() for column in vars(unsure.curve).values()), strict=True)
    return said | {
        "error_rate": unsure.error_rate,
        "confidence": CONFIDENCE,
        "images": unsure.images,
        "accuracy": unsure.accuracy,
        "curve": [dict(zip(("margin", "coverage", "risk", "risk_bound"), row, strict=True)) for row in rows],
    }
