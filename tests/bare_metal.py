"""Build C programs for emulated cores, with the startup code and linker script of `firmware_export.board.emulator`."""

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
"""SysTick frequency. With `counts_instructions`, an instruction takes 1 ns: 40 or 31.25 instructions per tick."""


def instructions_per_tick(machine: str) -> float:
    """The number of instructions per SysTick count."""
    return 1e9 / HERTZ[machine]


def compile_object(source: Path, core: str, out: Path, flags: Sequence[str] = ()) -> Path:
    """Compile one C file; an error contains the output of gcc."""
    command = [COMPILER, *emulator.CORES[core].flags, *FLAGS, *flags, "-c", str(source), "-o", str(out)]
    _check(command)
    return out


def link(objects: Sequence[Path], core: str, elf: Path) -> Path:
    """Link objects, one of which contains `main`, with the startup code.

    C code can print with `void write_text(const char *text)`.
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
