"""Measure the row engine's stack and instructions on an emulated core."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware_export.board import emulator
from firmware_export.board.check_programs import Program
from firmware_export.bounds import stack
from firmware_export.common.errors import UserError
from firmware_export.common.steps import step

MACHINE = "mps2-an386"
"""The emulated board."""

_CORE = emulator.MACHINES[MACHINE]

SCRUB_BYTES = 1024
"""Bytes of the scrubbing step that is measured."""

_INSTRUCTIONS_A_TICK = 40
"""With `counts_instructions`, an instruction takes 1 ns, and SysTick of this board runs at 25 MHz."""

_FUNCTIONS = ("begin", "push_row", "finish", "run", "verify", "scrub_step", "self_test")
_TOOLS = (emulator.C_COMPILER, emulator.COMPILER, emulator.EMULATOR, "arm-none-eabi-objdump")
_IMAGES = 2
SECONDS = 60
"""Time limit of the emulator."""


@dataclass(frozen=True)
class Instructions:
    """Executed instructions of one function: the fewest and the most of all measured calls, rounded outwards."""

    least: int
    most: int


@dataclass(frozen=True)
class Bounds:
    """Stack and instructions of the row engine's functions; without the prefix of their names."""

    core: str
    reason: str | None = None
    """Why nothing was measured; the other values are then None."""
    machine: str | None = None
    compiler: str | None = None
    """The first line of its `--version`."""
    flags: str | None = None
    emulator: str | None = None
    """The first line of its `--version`."""
    images: int | None = None
    """The number of golden vectors that were run."""
    stack_bytes: dict[str, int] | None = None
    """The deepest chain of calls from each function, by the compiler's frame sizes. Frames of the caller and of
    interrupts come on top."""
    instructions: dict[str, Instructions] | None = None
    """`image` is the sum of all calls for one image: `begin`, `push_row` of every row, `finish`."""


@step("measuring stack and instructions in the emulator")
def measure(texts: Mapping[str, str], prefix: str) -> Bounds:
    """Compile a model's files for the row engine, find the stack of each function, and count instructions.

    Args:
        texts: the row engine's files of one export, by name; others are ignored.
        prefix: of the model's names.

    Returns:
        The bounds, or the reason why there are none: a tool is missing, or the model is too large for the emulator.
    """
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return not_measured(f"{missing[0]} was not found on PATH; {emulator.INSTALL} installs it")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        try:
            return _measure(folder, tuple(texts), prefix)
        except (UserError, stack.UnboundedStackError) as error:
            return not_measured(str(error).replace(str(folder), "the folder"))


def not_measured(reason: str) -> Bounds:
    """The bounds if nothing was measured."""
    return Bounds(_CORE, reason)


def _measure(folder: Path, names: tuple[str, ...], prefix: str) -> Bounds:
    program = Program(
        sources=tuple(name for name in names if name.endswith(".c")),
        headers=(),
        main="bounds_main.cc",
        names={"prefix": prefix, "vectors": _IMAGES, "scrub_bytes": SCRUB_BYTES},
    )
    elf, objects = folder / "bounds.elf", folder / "objects"
    objects.mkdir()
    emulator.link(folder, program, _CORE, elf, objects, options=["-fstack-usage"])
    disassembly = _output("arm-none-eabi-objdump", "-d", "--no-show-raw-insn", str(elf))
    calls = stack.read_calls(disassembly)
    frames = stack.read_frames(path.read_text() for path in objects.glob("*.su"))
    frames = stack.with_pushed(frames, stack.read_pushed(disassembly))
    bytes_ = {name: stack.deepest(f"{prefix}_{name}", calls, frames) for name in _FUNCTIONS}
    printed = emulator.run(elf, MACHINE, counts_instructions=True, timeout_seconds=SECONDS)
    if emulator.has_failed(printed):
        raise RuntimeError("the row engine differs from TensorFlow Lite Micro on the emulated core")
    counts = {name: tuple(map(int, values)) for name, *values in map(str.split, printed.splitlines())}
    if counts.pop("stack")[0] > frames["main"] + frames["Run"] + max(bytes_.values()):
        raise RuntimeError("the emulated calls used more stack than the frame sizes allow")
    return Bounds(
        core=_CORE,
        machine=MACHINE,
        compiler=_output(emulator.C_COMPILER, "--version").splitlines()[0],
        flags=emulator.c_flags(_CORE),
        emulator=_output(emulator.EMULATOR, "--version").splitlines()[0],
        images=_IMAGES,
        stack_bytes=bytes_,
        instructions={
            name: Instructions(least * _INSTRUCTIONS_A_TICK, most * _INSTRUCTIONS_A_TICK)
            for name, (least, most) in counts.items()
        },
    )


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
