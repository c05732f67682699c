"""Cross-compile an exported folder for a microcontroller's core, and run it in an emulator.

Requires the Debian or Ubuntu packages `gcc-arm-none-eabi` and `qemu-system-arm`, but no C library: the startup code,
the linker script and the calls to the emulator (semihosting) are in `templates/emulator`.
"""

import dataclasses
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_export.board import check_programs
from firmware_export.board.check_programs import Program
from firmware_export.common import files
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError, unknown_name
from firmware_export.common.templating import render_template

COMPILER = "arm-none-eabi-g++"
C_COMPILER = "arm-none-eabi-gcc"
EMULATOR = "qemu-system-arm"
INSTALL = "apt-get install -y --no-install-recommends gcc-arm-none-eabi qemu-system-arm"

_COMMON = (
    *("-mthumb", "-ffreestanding", "-ffunction-sections", "-fdata-sections"),
    *("-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"),
)
FLAGS = ("-std=c++17", "-Os", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", *_COMMON)
"""Compiler flags for C++."""
C_FLAGS = ("-std=c99", "-O2", *_COMMON)
"""Compiler flags for the row engine's C."""
# Without this flag, the compiler replaces the loop in memset by a call of memset.
_OWN_LOOPS = "-fno-tree-loop-distribute-patterns"
_LINK_FLAGS = ("-nostdlib", "-Wl,--gc-sections")
_SUPPORT = ("startup.cc", "semihosting.h", "checks.h", "memory.ld")
_COMPILE_SECONDS = 300


@dataclass(frozen=True)
class Core:
    """A processor and the memory of the machine that emulates it."""

    flags: tuple[str, ...]
    """Compiler flags."""
    flash_origin: int = 0x00000000
    flash_bytes: int = 4 << 20
    ram_origin: int = 0x20000000
    ram_bytes: int = 4 << 20


_HARD_FLOAT = "-mfloat-abi=hard"

CORES: Mapping[str, Core] = {
    "cortex-m0plus": Core(("-mcpu=cortex-m0plus", "-mfloat-abi=soft")),
    "cortex-m4": Core(("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", _HARD_FLOAT)),
    "cortex-m7": Core(("-mcpu=cortex-m7", "-mfpu=fpv5-d16", _HARD_FLOAT)),
    "cortex-m55": Core(("-mcpu=cortex-m55", _HARD_FLOAT), flash_bytes=512 << 10, ram_origin=0x21000000),
}
"""Cores to compile for. QEMU has no Cortex-M0+ with enough memory for a model, so that core is compiled only."""

MACHINES: Mapping[str, str] = {"mps2-an386": "cortex-m4", "mps2-an500": "cortex-m7", "mps3-an547": "cortex-m55"}
"""Emulated boards: QEMU's name of an Arm evaluation board -> its core."""


def build(folder: Path, core: str, out: Path, engine: Engine = Engine.TFLM, main: str | None = None) -> Path:
    """Cross-compile a folder's model, integrity checks and golden vectors with a program that checks them.

    For the row engine, the program also runs the model: its outputs for the golden vectors must equal those of
    TensorFlow Lite Micro.

    Args:
        folder: as `firmware_export` writes it.
        core: one of `CORES`.
        out: the ELF file to write, atomically.
        engine: one of `check_programs.engines(folder)`.
        main: the template of another program than the checking one.

    Returns:
        `out`.

    Raises:
        UserError: the core is unknown, the folder is not an exported one or lacks this engine, the cross-compiler is
            missing, the text does not compile without warnings, or the model is too large for the emulated memory.
    """
    if core not in CORES:
        raise unknown_name("core", core, CORES)
    program = check_programs.find(folder, engine)
    with tempfile.TemporaryDirectory() as name:
        link(folder, dataclasses.replace(program, main=main or program.main), core, out, Path(name))
    return out


def link(folder: Path, program: Program, core: str, out: Path, objects: Path, *, options: Sequence[str] = ()) -> None:
    """Cross-compile and link a program with its startup code.

    Args:
        folder: contains the program's sources and headers.
        program: what to compile.
        core: one of `CORES`.
        out: the ELF file to write, atomically.
        objects: an existing folder for intermediate files.
        options: additional options for every source file.

    Raises:
        UserError: the cross-compiler is missing, the text does not compile without warnings, or the program is too
            large for the emulated memory.
    """
    context = {"core": core, **vars(CORES[core]), **program.names}
    for text in (program.main, *_SUPPORT):
        files.write_text(objects / text, render_template(f"emulator/{text}", context))
    sources = [*(folder / source for source in program.sources), objects / program.main, objects / "startup.cc"]
    compiled = [objects / f"{source.name}.o" for source in sources]
    for source, made in zip(sources, compiled, strict=True):
        compiler, flags = (C_COMPILER, C_FLAGS) if source.suffix == ".c" else (COMPILER, FLAGS)
        command = [_tool(compiler), *CORES[core].flags, *flags, _OWN_LOOPS, *options]
        command += ["-I", str(folder), "-I", str(objects), "-c", str(source), "-o", str(made)]
        _compile(command, folder, core)
    command = [_tool(COMPILER), *CORES[core].flags, *_LINK_FLAGS, "-T", str(objects / "memory.ld")]
    command += [*map(str, compiled), "-lgcc"]
    files.write_with(out, lambda elf: _compile([*command, "-o", str(elf)], folder, core))


def c_flags(core: str) -> str:
    """The compiler flags that `link` uses for C, without those that choose warnings."""
    return " ".join(flag for flag in (*CORES[core].flags, *C_FLAGS, _OWN_LOOPS) if not flag.startswith("-W"))


def run(elf: Path, machine: str, *, timeout_seconds: float = 120.0, counts_instructions: bool = False) -> str:
    """Run a program made by `build`.

    Args:
        elf: the program, built for the machine's core.
        machine: one of `MACHINES`.
        timeout_seconds: time limit in seconds; a model of 100 kB takes about one second.
        counts_instructions: advance the machine's clock by one nanosecond per instruction (`-icount shift=0`), so that
            SysTick counts are reproducible; slower.

    Returns:
        What the program printed: a line `ok NAME` or `FAILED NAME` for each check.

    Raises:
        UserError: the machine is unknown, the emulator is missing, or the program prints no result or exceeds the time
            limit.
    """
    try:
        done = start(elf, machine, timeout_seconds=timeout_seconds, counts_instructions=counts_instructions)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{elf.name} did not end on {machine} in {timeout_seconds:g} s: build it again") from error
    printed = done.stdout.decode(errors="replace")
    if done.returncode != int(has_failed(printed)) or not printed:
        messages = done.stderr.decode(errors="replace").strip().splitlines()
        reason = next((line for line in messages if line.startswith("qemu")), f"exit code {done.returncode}")
        raise UserError(f"{elf.name} gave no result on {machine} ({reason}): build it for {MACHINES[machine]}")
    return printed


def start(
    elf: Path,
    machine: str,
    *,
    timeout_seconds: float,
    counts_instructions: bool = False,
    arguments: Sequence[str] = (),
) -> "subprocess.CompletedProcess[bytes]":
    """Run any program for an emulated core; see `run`.

    Args:
        elf: the program.
        machine: one of `MACHINES`.
        timeout_seconds: time limit in seconds.
        counts_instructions: as for `run`.
        arguments: the words of the program's command line, without commas.

    Raises:
        UserError: the machine is unknown, or the emulator is missing.
        subprocess.TimeoutExpired: the time limit is exceeded.
    """
    if machine not in MACHINES:
        raise unknown_name("machine", machine, MACHINES)
    # The program writes to standard output, QEMU itself to standard error.
    command = [_tool(EMULATOR), "-machine", machine, "-nographic", "-monitor", "none", "-serial", "none"]
    command += ["-chardev", "stdio,id=console", "-kernel", str(elf)]
    words = ",".join(["enable=on,target=native,chardev=console", *(f"arg={word}" for word in arguments)])
    command += ["-semihosting-config", words]
    command += ["-icount", "shift=0"] if counts_instructions else []
    return subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=timeout_seconds)


def has_failed(printed: str) -> bool:
    """Whether any line of `run`'s result is a failed check."""
    return any(line.startswith("FAILED ") for line in printed.splitlines())


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise UserError(f"{name} not found on PATH: install it with {INSTALL}")
    return path


def _compile(command: list[str], folder: Path, core: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_COMPILE_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        messages = (getattr(error, "stderr", None) or b"").decode(errors="replace").splitlines()
        if any("overflowed" in line for line in messages):
            memory = f"{CORES[core].flash_bytes >> 10} KiB of flash and {CORES[core].ram_bytes >> 10} KiB of RAM"
            raise UserError(f"{str(folder)!r} does not fit {core}'s emulated {memory}: try another machine") from error
        reason = next((line.strip() for line in messages if "error" in line), str(error))
        raise UserError(f"{COMPILER} failed for {core} ({reason}): export the model again") from error
