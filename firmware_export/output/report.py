"""The results of an export: the content of `export.json`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from firmware_export.board.fitting import PartNeeds
from firmware_export.bounds.count import Count
from firmware_export.bounds.measure import Bounds
from firmware_export.drift import header
from firmware_export.drift.monitor import Drift
from firmware_export.facts import ModelFacts, package_version
from firmware_export.images import scaling_header
from firmware_export.images.scaling import Scaling
from firmware_export.rows.compile import CheckedRowsReport
from firmware_export.tflite.graph import Operator, Tensor
from firmware_export.verify.abstention import CONFIDENCE, Abstention
from firmware_export.verify.dense_parity import DenseSummary
from firmware_export.verify.golden_vectors import GoldenSummary
from firmware_export.verify.keras_parity import KerasParity
from firmware_export.verify.kernel_parity import TensorParity
from firmware_export.verify.verify import Verified


@dataclass(frozen=True)
class Layer:
    """One operator and its output tensor."""

    operator: str
    output: str
    """The tensor's name."""
    output_shape: tuple[int, ...]
    output_scale: float | None
    output_zero_point: int
    macs: int
    parameters: int


@dataclass(frozen=True)
class End:
    """One input or output of the model: value = scale * (code - zero point)."""

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int


@dataclass(frozen=True)
class CurvePoint:
    """One threshold, and its effect on the validation images."""

    margin: int
    """The threshold, in output codes."""
    coverage: float
    """Fraction of the images that are answered."""
    risk: float
    """Fraction of the answers that are wrong."""
    risk_bound: float
    """Upper bound of the error rate, with the stated confidence."""


@dataclass(frozen=True)
class AbstentionReport:
    """When the classifier abstains; only `least_margin` and `reason` are known without labelled images."""

    least_margin: int
    """The abstention threshold, in output codes."""
    reason: str
    error_rate: float | None = None
    confidence: float | None = None
    images: int | None = None
    accuracy: float | None = None
    curve: tuple[CurvePoint, ...] = ()


@dataclass(frozen=True)
class DriftReport:
    """The drift monitor; only `reason` is known without one."""

    reason: str
    file: str | None = None
    """Name of the monitor's header."""
    false_alarm_rate: float | None = None
    window: int | None = None
    images: int | None = None
    """Number of validation images."""
    statistics: tuple[str, ...] = ()
    lower: tuple[int, ...] = ()
    """Smallest sum over a window in range, for each statistic, in sixteenths of a standard deviation."""
    upper: tuple[int, ...] = ()
    """Largest sum in range."""


@dataclass(frozen=True)
class ExportReport:
    """What was exported, and the results; `export.json` has the same content."""

    command: str
    version: str
    symbol: str
    sha256: str
    """SHA-256 of the exported model."""
    given_sha256: str
    """SHA-256 of the input model; differs from `sha256` if the export added a memory plan or made `changes`."""
    changes: tuple[str, ...]
    """Every change that the export made to the input model, one sentence each; a memory plan apart."""
    crc32: str
    flash_bytes: int
    """Size of the exported model, without the kernels."""
    arena_bytes: int
    """The smallest arena with which TFLM prepares the exported model on this 64-bit host."""
    given_arena_bytes: int
    """The same for the input model."""
    arena_bytes_with_margin: int
    arena_margin_rule: str
    macs: int
    parameters: int
    operators: dict[str, int]
    layers: tuple[Layer, ...]
    """In execution order."""
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    """With the model's codes in this order, also in golden vectors. The next fields describe the first of each."""
    input_shape: tuple[int, ...]
    input_scale: float
    input_zero_point: int
    input_range: str | None
    """The values that the model expects of pixels, such as 0..1: stated, or found from scale and zero point; None if
    the input does not look like pixels."""
    has_unit_input: bool
    """Whether the input is `pixel ^ 0x80`; otherwise firmware must quantize its input itself."""
    output_shape: tuple[int, ...]
    output_scale: float
    output_zero_point: int
    class_names: tuple[str, ...]
    verified_images: int
    images_are_real: bool
    kernel_parity: tuple[TensorParity, ...]
    """For each operator's output: how many elements were compared, and how many differ between TFLM and TFLite's
    reference kernels."""
    keras_parity: KerasParity | None
    dense_scale: DenseSummary | None
    """None if no multiplier depends on the version of TensorFlow Lite Micro."""
    golden_vectors: GoldenSummary
    unsure: AbstentionReport
    drift: DriftReport
    compiled_with: str | None
    """None if no C++ compiler was found, so that only the array's text was read back, or if no array was written."""
    files: tuple[str, ...]
    digests: dict[str, str]
    """SHA-256 of each file but `export.json` itself and the evidence pack, by name."""
    targets: tuple[PartNeeds, ...]
    """What each known part has, and what the model needs on it; code size is an estimate (`fitting.CODE_BYTES`)."""
    rows: CheckedRowsReport | None
    """None if the row engine's files were not written."""
    bounds: Bounds | None
    """Stack and instructions of the row engine; None if its files were not written."""
    counts: tuple[Count, ...] | None
    """The row engine's instructions for an image, by emulated core and kind of layer; None if they were not counted."""
    scaling: dict[str, Any] | None
    """How raw samples become the model's pixels: `file`, the header with the function, and the keys of `scaling.json`;
    None if the camera gives pixels."""

    def as_dict(self) -> dict[str, Any]:
        """The content of `export.json`; unknown values of `unsure` and `drift` are left out."""
        content = asdict(self)
        for part in ("unsure", "drift"):
            content[part] = {key: value for key, value in content[part].items() if value not in (None, ())}
        return content


def make(
    facts: ModelFacts,
    verified: Verified,
    *,
    compiled_with: str | None,
    files: Sequence[str],
    parts: Sequence[PartNeeds],
    rows: CheckedRowsReport | None,
    bounds: Bounds | None = None,
    counts: tuple[Count, ...] | None = None,
    scaling: Scaling | None = None,
) -> ExportReport:
    """Collect the results of the export's steps."""
    model, graph = facts.model, facts.graph
    source, sink = graph.inputs[0], graph.outputs[0]
    return ExportReport(
        command=facts.command,
        version=package_version(),
        symbol=facts.symbol,
        sha256=model.sha256,
        given_sha256=facts.given_sha256,
        changes=verified.changes,
        crc32=f"0x{model.crc32:08x}",
        flash_bytes=model.size,
        arena_bytes=facts.arena.least_bytes,
        given_arena_bytes=facts.arena.given_bytes,
        arena_bytes_with_margin=facts.arena.bytes_with_margin,
        arena_margin_rule=facts.arena.margin_rule,
        macs=graph.macs,
        parameters=graph.parameters,
        operators=graph.operator_counts,
        layers=tuple(_layer(operator) for operator in graph.operators),
        inputs=tuple(map(_end, graph.inputs)),
        outputs=tuple(map(_end, graph.outputs)),
        input_shape=source.shape,
        input_scale=source.scale,
        input_zero_point=source.zero_point,
        input_range=graph.input_range,
        has_unit_input=graph.has_unit_input,
        output_shape=sink.shape,
        output_scale=sink.scale,
        output_zero_point=sink.zero_point,
        class_names=facts.class_names,
        verified_images=facts.verified_images,
        images_are_real=facts.images_are_real,
        kernel_parity=tuple(verified.kernel_parity.tensors),
        keras_parity=verified.keras_parity,
        dense_scale=verified.dense.summary,
        golden_vectors=verified.golden.summary,
        unsure=_abstention(verified.abstention),
        drift=_drift(verified.drift, files),
        compiled_with=compiled_with,
        files=tuple(files),
        digests={},
        targets=tuple(parts),
        rows=rows,
        bounds=bounds,
        counts=counts,
        scaling=_scaling(scaling, files),
    )


def _scaling(scaling: Scaling | None, files: Sequence[str]) -> dict[str, Any] | None:
    if scaling is None:
        return None
    return {"file": next(filter(scaling_header.is_scaling, files)), **scaling.to_dict()}


def _end(tensor: Tensor) -> End:
    return End(tensor.name, tensor.shape, tensor.scale, tensor.zero_point)


def _layer(operator: Operator) -> Layer:
    output = operator.outputs[0]
    return Layer(
        operator=operator.name,
        output=output.name,
        output_shape=output.shape,
        output_scale=output.scales[0] if output.scales else None,
        output_zero_point=output.zero_point,
        macs=operator.macs,
        parameters=operator.parameters,
    )


def _abstention(abstention: Abstention) -> AbstentionReport:
    curve = abstention.curve
    if curve is None:
        return AbstentionReport(abstention.threshold, abstention.reason)
    columns = (curve.thresholds, curve.coverage, curve.risk, curve.risk_bound)
    return AbstentionReport(
        least_margin=abstention.threshold,
        reason=abstention.reason,
        error_rate=abstention.error_rate,
        confidence=CONFIDENCE,
        images=abstention.images,
        accuracy=abstention.accuracy,
        curve=tuple(CurvePoint(*point) for point in zip(*(column.tolist() for column in columns), strict=True)),
    )


def _drift(drift: Drift, files: Sequence[str]) -> DriftReport:
    monitor = drift.monitor
    if monitor is None:
        return DriftReport(drift.reason)
    return DriftReport(
        reason=drift.reason,
        file=next(filter(header.is_monitor, files)),
        false_alarm_rate=drift.false_alarm_rate,
        window=monitor.window,
        images=drift.images,
        statistics=monitor.names,
        lower=tuple(monitor.lower.tolist()),
        upper=tuple(monitor.upper.tolist()),
    )
