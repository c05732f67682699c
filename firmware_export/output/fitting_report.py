"""The export's findings as a document that can be pasted into a flight-software file."""

from collections.abc import Sequence
from typing import Any

from firmware_export.common.templating import render_template
from firmware_export.output.report import ExportReport

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


def _kernel_result(parity: Sequence[dict[str, Any]]) -> str:
    elements, differing = (sum(tensor[key] for tensor in parity) for key in ("elements", "differing"))
    outcome = f"{differing:,} differ, all by one step, where it is allowed" if differing else "identical"
    return f"{len(parity)} tensors, {elements:,} values: {outcome}"


def _keras_result(parity: dict[str, int] | None) -> str:
    if parity is None:
        return "not done: no such model was given"
    return (
        f"{parity['differing']:,} of {parity['elements']:,} outputs differ, {parity['beyond_one_step']:,} by more than "
        f"one step, none by more than {parity['largest_difference']}; {parity['class_changes']:,} other classes"
    )


def _curve(unsure: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows evenly spread in coverage, the first, the last and the chosen one among them."""
    rows = unsure.get("curve", [])
    if not rows:
        return []
    span = rows[0]["coverage"] - rows[-1]["coverage"]
    wanted = [rows[0]["coverage"] - span * step / (_CURVE_ROWS - 1) for step in range(_CURVE_ROWS)]
    nearest = {min(range(len(rows)), key=lambda at: abs(rows[at]["coverage"] - one)) for one in wanted}
    chosen = {at for at, row in enumerate(rows) if row["margin"] == unsure["least_margin"]}
    return [rows[at] for at in sorted(nearest | chosen)]
