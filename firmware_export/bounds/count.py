"""Count the row engine's instructions for one image, by kind of layer, on an emulated core."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_export.board import emulator
from firmware_export.board.check_programs import Program
from firmware_export.common.errors import UserError
from firmware_export.common.steps import step
from firmware_export.rows.compile import LayerReport

MACHINES = ("mps2-an386", "mps3-an547")
"""The emulated boards that are counted on by default: Cortex-M4 and Cortex-M55."""

OTHER = "rows of the image, checks"
"""The kind of all instructions outside a layer's steps."""

_INSTRUCTIONS_A_TICK = {"mps2-an386": 40, "mps2-an500": 40, "mps3-an547": 31.25}
"""With `counts_instructions`, an instruction takes 1 ns; SysTick runs at 25 MHz, on mps3-an547 at 32 MHz."""

_HOOK = "-DSATKD_WATCHDOG=satkd_count_step"
"""The engine calls this function before each step; its own instructions are not counted."""


@dataclass(frozen=True)
class KindCount:
    """The instructions of all layers of a kind."""

    kind: str
    layers: int
    macs: int
    instructions: int


@dataclass(frozen=True)
class Count:
    """The instructions for one image on one emulated core."""

    core: str
    machine: str
    reason: str | None = None
    """Why nothing was counted; the other values are then None."""
    instructions: int | None = None
    kinds: tuple[KindCount, ...] | None = None
    """By instructions, most first."""


@step("counting instructions in the emulator")
def count(
    texts: Mapping[str, str], layers: Sequence[LayerReport], prefix: str, machine: str, *, timeout_seconds: float
) -> Count:
    """Compile a model's files for the row engine and count the instructions of one golden vector.

    Args:
        texts: the row engine's files of one export, by name.
        layers: of the same model.
        prefix: of the model's names.
        machine: one of `emulator.MACHINES`.
        timeout_seconds: time limit of the emulator.

    Raises:
        UserError: a tool is missing, or the model is too large for the emulator or exceeds the time limit.
        RuntimeError: the outputs differ from TensorFlow Lite Micro's, a defect of the row engine.
    """
    core = emulator.MACHINES[machine]
    program = Program(
        sources=tuple(name for name in texts if name.endswith(".c")),
        headers=(),
        main="count_main.cc",
        names={"prefix": prefix, "layers": len(layers)},
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        (folder / "objects").mkdir()
        elf = folder / "count.elf"
        try:
            emulator.link(folder, program, core, elf, folder / "objects", options=[_HOOK])
            printed = emulator.run(elf, machine, counts_instructions=True, timeout_seconds=timeout_seconds)
        except UserError as error:
            raise UserError(str(error).replace(str(folder), "the folder")) from error
    if emulator.has_failed(printed):
        raise RuntimeError(f"the row engine differs from TensorFlow Lite Micro on the emulated {core}")
    ticks = [int(line.split()[2]) for line in printed.splitlines()]
    counted = [round(each * _INSTRUCTIONS_A_TICK[machine]) for each in ticks]
    return Count(core, machine, None, sum(counted), _by_kind(counted, layers))


def try_count(
    texts: Mapping[str, str], layers: Sequence[LayerReport], prefix: str, *, timeout_seconds: float
) -> tuple[Count, ...]:
    """The counts on `MACHINES`, each with the reason if nothing could be counted; see `count`."""
    found = []
    for machine in MACHINES:
        try:
            found.append(count(texts, layers, prefix, machine, timeout_seconds=timeout_seconds))
        except UserError as error:
            found.append(Count(emulator.MACHINES[machine], machine, str(error)))
    return tuple(found)


def _by_kind(counted: Sequence[int], layers: Sequence[LayerReport]) -> tuple[KindCount, ...]:
    """The sums of each kind.

    Args:
        counted: instructions outside the layers, then of each layer.
        layers: of the model.
    """
    found = {OTHER: KindCount(OTHER, 0, 0, counted[0])}
    for layer, instructions in zip(layers, counted[1:], strict=True):
        before = found.get(layer.kind, KindCount(layer.kind, 0, 0, 0))
        found[layer.kind] = KindCount(
            layer.kind, before.layers + 1, before.macs + layer.macs, before.instructions + instructions
        )
    return tuple(sorted(found.values(), key=lambda kind: -kind.instructions))
