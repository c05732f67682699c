"""The export's findings as a document that can be pasted into a flight-software file."""

from collections.abc import Sequence

from firmware_export.common.templating import render_template
from firmware_export.output.report import AbstentionReport, CurvePoint, ExportReport
from firmware_export.verify.keras_parity import KerasParity
from firmware_export.verify.kernel_parity import TensorParity

FILE = "fitting_report.md"

_CURVE_ROWS = 12  # a table is read, and export.json has every margin


def render(report: ExportReport) -> str:
    """Markdown text of `FILE`: identification, interfaces, work, memory by part, verification, risk and coverage."""
    context = vars(report) | {
        "has_array": "model_data.cc" in report.files,
        "images": "images" if report.images_are_real else "GENERATED images",
        "kernel_result": _kernel_result(report.kernel_parity),
        "keras_result": _keras_result(report.keras_parity),
        "curve": _curve(report.unsure),
    }
    return render_template(FILE, context)


def _kernel_result(parity: Sequence[TensorParity]) -> str:
    elements, differing = sum(tensor.elements for tensor in parity), sum(tensor.differing for tensor in parity)
    outcome = f"{differing:,} differ, all by one step, where it is allowed" if differing else "identical"
    return f"{len(parity)} tensors, {elements:,} values: {outcome}"


def _keras_result(parity: KerasParity | None) -> str:
    if parity is None:
        return "not done: no such model was given"
    return (
        f"{parity.differing:,} of {parity.elements:,} outputs differ, {parity.beyond_one_step:,} by more than one "
        f"step, none by more than {parity.largest_difference}; {parity.class_changes:,} other classes"
    )


def _curve(abstention: AbstentionReport) -> list[CurvePoint]:
    """Points evenly spread in coverage, the first, the last and the chosen one among them."""
    points = abstention.curve
    if not points:
        return []
    span = points[0].coverage - points[-1].coverage
    wanted = [points[0].coverage - span * step / (_CURVE_ROWS - 1) for step in range(_CURVE_ROWS)]
    nearest = {min(range(len(points)), key=lambda at: abs(points[at].coverage - one)) for one in wanted}
    chosen = {at for at, point in enumerate(points) if point.margin == abstention.least_margin}
    return [points[at] for at in sorted(nearest | chosen)]
