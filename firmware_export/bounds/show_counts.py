"""Count an exported folder's instructions, and print them with the time that they take on a part."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from firmware_export.board import check_programs, timing
from firmware_export.board.cores import CORES
from firmware_export.bounds import count
from firmware_export.bounds.count import Count
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.common.tables import terminal_table
from firmware_export.rows.compile import LayerReport


def show(folder: Path, machine: str | None, timeout_seconds: float) -> None:
    """Count on one emulated board or on all of `count.MACHINES`, and print the results.

    Args:
        folder: as `firmware_export` writes it, with the row engine's files.
        machine: one of `emulator.MACHINES`, or None.
        timeout_seconds: time limit of the emulator on each board.

    Raises:
        UserError: the folder has no files of the row engine, or nothing can be counted.
    """
    report = check_programs.read_report(folder)
    if not report.get("rows"):
        raise UserError(
            f"folder {str(folder)!r} has no files of the row engine, whose instructions are counted: export with "
            "--engine rows or both"
        )
    program = check_programs.find(folder, Engine.ROWS)
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in (*program.sources, *program.headers)}
    layers = _layers(report, folder)
    prefix = str(program.names["prefix"])
    console = Console(highlight=False)
    for board in (machine,) if machine else count.MACHINES:
        found = count.count(texts, layers, prefix, board, timeout_seconds=timeout_seconds)
        _show(console, found, report)


def _layers(report: Mapping[str, Any], folder: Path) -> list[LayerReport]:
    try:
        return [LayerReport(str(layer["kind"]), int(layer["macs"])) for layer in report["rows"]["layers"]]
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{str(folder / 'export.json')!r} lists no layers of the row engine: export again") from None


def _show(console: Console, found: Count, report: Mapping[str, Any]) -> None:
    assert found.kinds is not None
    assert found.instructions is not None
    console.print(
        f"{found.machine} ({found.core}): {found.instructions:,} instructions for one image in the row engine"
    )
    headings = ("layers of this kind", "number", "MACs", "instructions", "per MAC")
    lines = [
        (
            kind.kind,
            str(kind.layers or ""),
            f"{kind.macs:,}",
            f"{kind.instructions:,}",
            f"{kind.instructions / kind.macs:.2f}" if kind.macs else "",
        )
        for kind in found.kinds
    ]
    console.print(terminal_table(headings, lines))
    _show_time(console, found, report)


def _show_time(console: Console, found: Count, report: Mapping[str, Any]) -> None:
    counted = {found.core: found.instructions or 0}
    lines, cores = [], []
    for part in report["targets"]:
        core = CORES.get(part["core"])
        time = timing.milliseconds(part["core"], part["clock_hz"], counted) if core else None
        if core is None or core.cycles is None or time is None:
            continue
        name = part["target"] + (" (asked for)" if part.get("is_asked_for") else "")
        cycles = f"{core.cycles.least} to {core.cycles.most}"
        lines.append((name, part["core"], f"{part['clock_hz'] / 1e6:g}", cycles, timing.shown(time)))
        cores.append(part["core"])
    if not lines:
        return
    console.print("estimated time: instructions x cycles per instruction / clock; wait states are excluded")
    console.print(terminal_table(("part", "core", "MHz", "cycles per instruction", "ms, estimated"), lines))
    for name in dict.fromkeys(cores):
        cycles_of = CORES[name].cycles
        assert cycles_of is not None
        console.print(f"{name}: {cycles_of.reason}")
