"""Injections into the registers and the stack of an emulated Cortex-M4 that runs the row engine.

A SysTick interrupt flips the bit: the processor and the handler save the registers in memory, the handler changes one
there, and they are loaded again. This runs at the emulator's full speed, and also on a real part. A debugger, such as
QEMU's gdb stub, would have to stop at a breakpoint or count single steps, 62 million for an image. With `-icount` the
emulator interrupts after an exact number of instructions, so the same seed gives the same result.

The stack pointer is not flipped: the handler needs it. Bits of the stack flip between the interrupted function's stack
pointer and `main`. Each injection is a run of the emulator from reset, so none can affect another.
"""

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

import firmware_export
from firmware_export.board import emulator
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.upsets import workers
from firmware_export.upsets.outcomes import ORDER, Found, Outcome
from firmware_export.upsets.plan import Injection

MACHINE = "mps2-an386"
"""Cortex-M4."""
INSTRUCTIONS_PER_TICK = 40
"""With `-icount shift=0` an instruction takes 1 ns; the machine's clock is 25 MHz."""
REGISTERS, STACK = "registers", "stack"
NAMES = (*(f"r{number}" for number in range(13)), "lr", "pc", "flags")
REGISTER_BITS = 15 * 32 + 5
"""r0 to r12, lr, pc, and the flags N, Z, C, V, Q."""

PROGRAM = Path(firmware_export.__file__).parent / "templates" / "emulator" / "upsets_main.cc"
"""The template of the program that flips bits."""
_FIRST_FLAG = 27
_LONGEST = 0xFFFFFF
_SECONDS = 600.0
"""For a busy host; the program itself ends an image that hangs."""
_WORDS = {
    "masked": Outcome.MASKED,
    "differs": Outcome.DIFFERS,
    "wrong": Outcome.WRONG,
    "refused": Outcome.REFUSED,
    "crash": Outcome.CRASH,
    "hang": Outcome.HANG,
    "late": Outcome.MASKED,
}


@dataclass(frozen=True)
class Measured:
    """An image on the emulated core, without flips."""

    ticks: int
    stack_bytes: int

    @property
    def instructions(self) -> int:
        """The instructions of an image, to 40."""
        return INSTRUCTIONS_PER_TICK * self.ticks


def missing_tools() -> str | None:
    """Why the emulated core cannot be used here; None if it can."""
    tools = (emulator.COMPILER, emulator.C_COMPILER, emulator.EMULATOR)
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return f"{', '.join(missing)} not found: {emulator.INSTALL}" if missing else None


def build(folder: Path, elf: Path) -> Measured:
    """Cross-compile the program, and measure an image.

    Args:
        folder: an exported folder with the row engine.
        elf: to be written.

    Raises:
        UserError: the folder does not compile or fit, or an image takes more than 671 million instructions.
    """
    emulator.build(folder, emulator.MACHINES[MACHINE], elf, Engine.ROWS, PROGRAM.name)
    words = _start(elf, ["measure"])
    if "measured" not in words:
        raise UserError(
            f"{str(folder)!r} does not run on {MACHINE} within {INSTRUCTIONS_PER_TICK * _LONGEST:,} instructions "
            f"({' '.join(words) or 'no result'}): give --slow-samples 0"
        )
    ticks, stack = (int(words[words.index(name) + 1]) for name in ("ticks", "stack"))
    return Measured(ticks, stack)


def draw(measured: Measured, images: int, samples: int, seed: int) -> list[Injection]:
    """Draw injections into registers and stack, as `plan.draw`; ticks are uniform over an image."""
    found = []
    for place, region in enumerate((REGISTERS, STACK)):
        random = np.random.default_rng([seed, 1000 + place])
        for _ in range(samples):
            image, tick = random.integers(images), random.integers(1, measured.ticks)
            bit = int(random.integers(REGISTER_BITS if region == REGISTERS else 1 << 30))
            layer, name = "–", "–"
            if region == REGISTERS:
                bit += _FIRST_FLAG if bit >= 15 * 32 else 0
                layer, name = NAMES[bit // 32], f"{bit % 32} of 32"
            limit = min(_LONGEST, 2 * measured.ticks)
            found.append(Injection(f"{image} {tick} {place} {bit} {limit}", region, layer, name))
    return found


def inject(elf: Path, drawn: Sequence[Injection], *, work: Path, jobs: int, title: str) -> list[Found]:
    """Run injections, a run of the emulator each; what the journal of `work` has is not run again."""
    work.mkdir(parents=True, exist_ok=True)
    known = workers.read_journals(work)
    left = [number for number in range(len(drawn)) if number not in known]
    with (
        (work / "processor.journal").open("a", buffering=1) as journal,
        tqdm(total=len(drawn), initial=len(known), desc=title, unit="flip", disable=None) as bar,
        ThreadPoolExecutor(jobs) as pool,
    ):
        for number, found in pool.map(lambda number: (number, _inject(elf, drawn[number])), left):
            known[number] = found
            journal.write(f"{number} {ORDER.index(found.outcome)} 0\n")
            bar.update()
    return [known[number] for number in range(len(drawn))]


def _inject(elf: Path, injection: Injection) -> Found:
    try:
        printed = _start(elf, injection.line.split())
    except subprocess.TimeoutExpired:
        return Found(Outcome.HANG, False)
    # Without a word the emulator gave up: the processor locks up if its exception handler faults.
    return Found(_WORDS.get(printed[-1], Outcome.CRASH) if printed else Outcome.CRASH, False)


def _start(elf: Path, arguments: Sequence[str]) -> list[str]:
    done = emulator.start(
        elf, MACHINE, timeout_seconds=_SECONDS, counts_instructions=True, arguments=["upsets", *arguments]
    )
    return done.stdout.decode(errors="replace").split()
