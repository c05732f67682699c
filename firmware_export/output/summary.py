"""An export's results as a table on the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from firmware_export.board import timing
from firmware_export.board.fitting import PartNeeds
from firmware_export.bounds.measure import Bounds
from firmware_export.output.report import ExportReport
from firmware_export.verify.keras_parity import LAYERS_AGREE


def show(report: ExportReport, out: Path) -> None:
    """Print an export's results.

    Args:
        report: the results.
        out: the folder that was written.
    """
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")
    for label, text in _rows(report):
        table.add_row(label, text)
    console = Console(highlight=False)
    console.print(f"{out}: {', '.join(report.files)}", markup=False, soft_wrap=True)
    console.print(table)
    for change in report.changes:
        console.print(f"changed: {change}", markup=False)
    if not report.has_unit_input:
        console.print(
            f"warning: input scale {report.input_scale:.9g}, zero point {report.input_zero_point}: not pixel / 255, so "
            "firmware must quantize its input itself",
            markup=False,
        )


def _rows(report: ExportReport) -> list[tuple[str, str]]:
    differing = sum(tensor.differing for tensor in report.kernel_parity)
    kind = "real" if report.images_are_real else "GENERATED (no --images)"
    rows = [
        ("flash, model", f"{report.flash_bytes:,} bytes"),
        ("arena", f"{report.arena_bytes:,} bytes found, {report.arena_bytes_with_margin:,} with margin"),
        ("work", f"{report.macs:,} MACs, {report.parameters:,} parameters"),
        *_fits(report.targets),
        ("answers", report.unsure.reason),
        ("drift", report.drift.reason),
        ("operators", ", ".join(f"{name} x{count}" for name, count in report.operators.items())),
        ("verified on", f"{report.verified_images} images, {kind}"),
        ("kernels", f"{len(report.kernel_parity)} tensors agree with TFLM; {differing} values one step off (allowed)"),
    ]
    if report.dense_scale is not None:
        rows.append(("TFLM's versions", report.dense_scale.statement))
    if report.keras_parity is not None:
        parity = report.keras_parity
        count = f"{parity.differing} of {parity.elements} outputs differ"
        alone = f"; {LAYERS_AGREE}" if parity.is_rounding_alone else ""
        rows.append(("Keras model", f"{count}, {parity.beyond_one_step} by more than one step{alone}"))
    if report.rows is not None:
        needed, flash = report.rows.context_bytes, report.rows.constants_bytes
        scratch = report.rows.scratch_bytes
        memory = f"{needed:,} bytes of RAM ({needed + scratch['dsp']:,} on M4, M7; {needed + scratch['mve']:,} on M55)"
        rows.append(("row engine", f"{memory}, {flash:,} of constants; code comes on top"))
    if report.bounds is not None:
        rows.append(("bounds", _bounds(report.bounds)))
    rows += _time(report)
    compiled_with = report.compiled_with or (report.rows and report.rows.compiled_with)
    rows.append(("compiled with", compiled_with or "no compiler found: only the files' text was read back"))
    rows.append(("SHA-256", report.sha256))
    return rows


def _time(report: ExportReport) -> list[tuple[str, str]]:
    """The estimated time on the part that was asked for, otherwise the counted instructions."""
    parts = [part for part in report.targets if part.is_asked_for]
    if parts and (time := parts[0].rows_milliseconds):
        assumed = "by counted instructions, without wait states"
        return [
            ("time, estimated", f"{timing.shown(time)} ms per image in the row engine on {parts[0].target}, {assumed}")
        ]
    counted = [f"{each.instructions:,} ({each.core})" for each in report.counts or () if each.instructions is not None]
    return [("instructions", f"{', '.join(counted)} per image in the row engine")] if counted else []


def _fits(parts: Sequence[PartNeeds]) -> list[tuple[str, str]]:
    """For each engine, the parts that have room; first the part that was asked for, whether or not it has."""
    engines = {"fits, TFLM": {part.target for part in parts if part.fits}}
    if parts[0].rows is not None:
        engines["fits, row engine"] = {part.target for part in parts if part.rows is not None and part.rows.fits}
    asked_for = [part.target for part in parts if part.is_asked_for]
    lines = []
    for label, fitting in engines.items():
        marked = [f"{name} (asked for): {'yes' if name in fitting else 'NO'}" for name in asked_for]
        others = [part.target for part in parts if part.target in fitting and not part.is_asked_for]
        listed = ", ".join(others) or "none of the parts known here"
        lines.append((label, "; ".join([*marked, f"others: {listed}"] if marked else [listed])))
    return lines


def _bounds(bounds: Bounds) -> str:
    if bounds.stack_bytes is None or bounds.instructions is None:
        return f"not measured: {bounds.reason}"
    stack, instructions = max(bounds.stack_bytes.values()), bounds.instructions
    return (
        f"{stack:,} bytes of stack, {instructions['push_row'].most:,} instructions for the longest push, "
        f"{instructions['image'].most:,} for an image (emulated {bounds.core})"
    )
