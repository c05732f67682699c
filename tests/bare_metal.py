"""C programs for the cores that `firmware_export.board.emulator` runs, with its startup code and linker script."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from firmware_export.board import emulator
from firmware_export.common import files
from firmware_export.common.templating import render_template

COMPILER = "arm-none-eabi-gcc"
FLAGS = ("-std=c99", "-O2", "-mthumb", "-ffreestanding", "-ffunction-sections", "-fdata-sections")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wpedantic", "-Werror")
HERTZ = {"mps2-an386": 25_000_000, "mps2-an500": 25_000_000, "mps3-an547": 32_000_000}
"""SysTick's clock. With `counts_instructions` an instruction takes a nanosecond: 40 or 31.25 instructions a tick."""


def instructions_per_tick(machine: str) -> float:
    """How many instructions pass while SysTick counts one down."""
    return 1e9 / HERTZ[machine]


def compile_object(source: Path, core: str, out: Path, flags: Sequence[str] = ()) -> Path:
    """Compile one C file; gcc's words are in the error if it will not."""
    command = [COMPILER, *emulator.CORES[core].flags, *FLAGS, *flags, "-c", str(source), "-o", str(out)]
    _check(command)
    return out


def link(objects: Sequence[Path], core: str, elf: Path) -> Path:
    """Link objects, one of which has `main`, with what takes the core there from reset.

    C code can print by `void write_text(const char *text)`.
    """
    support = elf.parent / f"{elf.stem}_support"
    support.mkdir(exist_ok=True)
    context = {"core": core, **vars(emulator.CORES[core])}
    for name in ("startup.cc", "semihosting.h", "memory.ld"):
        files.write_text(support / name, render_template(f"emulator/{name}", context))
    (support / "write_text.cc").write_text(
        '#include "semihosting.h"\nextern "C" void write_text(const char* text) { semihosting::Write(text); }\n'
    )
    command = [emulator.COMPILER, *emulator.CORES[core].flags, *emulator.FLAGS, "-fno-tree-loop-distribute-patterns"]
    command += [str(support / "startup.cc"), str(support / "write_text.cc"), *map(str, objects)]
    command += ["-nostdlib", "-Wl,--gc-sections", "-T", str(support / "memory.ld"), "-lgcc", "-o", str(elf)]
    _check(command)
    return elf


def _check(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
