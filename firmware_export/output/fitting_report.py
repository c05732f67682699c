"""The export's results as a document for the flight software's documentation."""

from collections.abc import Sequence

from firmware_export.board import timing
from firmware_export.board.cores import CORES
from firmware_export.bounds.measure import SCRUB_BYTES
from firmware_export.common.templating import render_template
from firmware_export.output.report import AbstentionReport, CurvePoint, ExportReport
from firmware_export.verify.keras_parity import LAYERS_AGREE, KerasParity
from firmware_export.verify.kernel_parity import TensorParity

FILE = "fitting_report.md"

_CURVE_ROWS = 12  # keeps the table readable; export.json has every threshold


def render(report: ExportReport) -> str:
    """Markdown text of `FILE`: identification, interfaces, work, memory, verification, risk and coverage, drift."""
    context = vars(report) | {
        "has_array": "model_data.cc" in report.files,
        "images": "images" if report.images_are_real else "GENERATED images",
        "kernel_result": _kernel_result(report.kernel_parity),
        "keras_result": _keras_result(report.keras_parity),
        "curve": _curve(report.unsure),
        "scrub_bytes": SCRUB_BYTES,
        "cores": CORES,
        "shown": timing.shown,
        "monitor_prefix": (report.drift.file or "").removesuffix("_monitor.h"),
    }
    return render_template(FILE, context)


def _kernel_result(parity: Sequence[TensorParity]) -> str:
    elements, differing = sum(tensor.elements for tensor in parity), sum(tensor.differing for tensor in parity)
    outcome = f"{differing:,} differ, all by the one step allowed there" if differing else "identical"
    return f"{len(parity)} tensors, {elements:,} values: {outcome}"


def _keras_result(parity: KerasParity | None) -> str:
    if parity is None:
        return "not done: no quantization-aware model was given"
    text = (
        f"{parity.differing:,} of {parity.elements:,} outputs differ, {parity.beyond_one_step:,} by more than one "
        f"step, none by more than {parity.largest_difference}; the class differs in {parity.class_changes:,} images"
    )
    return f"{text}; {LAYERS_AGREE}" if parity.is_rounding_alone else text


def _curve(abstention: AbstentionReport) -> list[CurvePoint]:
    """Points that are evenly spread in coverage, including the first, the last and the chosen one."""
    points = abstention.curve
    if not points:
        return []
    span = points[0].coverage - points[-1].coverage
    targets = [points[0].coverage - span * step / (_CURVE_ROWS - 1) for step in range(_CURVE_ROWS)]
    nearest = {min(range(len(points)), key=lambda at: abs(points[at].coverage - target)) for target in targets}
    chosen = {at for at, point in enumerate(points) if point.margin == abstention.least_margin}
    return [points[at] for at in sorted(nearest | chosen)]
