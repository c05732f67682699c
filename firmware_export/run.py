"""`python -m firmware_export.run DIR`: an exported folder's checks on an emulated microcontroller."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import tyro

from firmware_export.board import check_programs, emulator
from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError, exit_on_user_error, unknown_name


@dataclass(frozen=True)
class Arguments:
    """Cross-compile an exported folder and run its checks on an emulated microcontroller.

    The model's array is looked at where the linker put it, copies of it are damaged, found out and repaired, and the
    golden vectors are compared with their digest. The row engine's constants likewise, and the row engine runs: its
    answers to the golden vectors must be TensorFlow Lite Micro's. Exit code 1: a check failed. 2: something is yours to
    mend.
    """

    folder: tyro.conf.Positional[Path]
    """A folder that python -m firmware_export wrote."""

    machine: str = "mps2-an386"
    """QEMU's name of the board: mps2-an386 (Cortex-M4), mps2-an500 (Cortex-M7) or mps3-an547 (Cortex-M55)."""

    timeout: float = 120.0
    """Seconds that the emulator may take for one engine."""

    verbosity: VerbosityFlags = Verbosity()


def main() -> NoReturn:
    """The command line."""
    exit_on_user_error(_work)


def _work() -> None:
    """Build, run, and print one line a check; exit with 1 if one failed."""
    arguments = read(Arguments, "firmware_export.run")
    show_log(arguments.verbosity.level)
    if arguments.machine not in emulator.MACHINES:
        raise unknown_name("machine", arguments.machine, emulator.MACHINES)
    if not arguments.timeout > 0:
        raise UserError(f"--timeout {arguments.timeout:g}, a positive number of seconds expected: such as 120")
    engines = check_programs.engines(arguments.folder)
    if not all([_passes(arguments, engine) for engine in engines]):  # a list: the second engine's even so
        sys.exit(1)


def _passes(arguments: Arguments, engine: Engine) -> bool:
    core = emulator.MACHINES[arguments.machine]
    with tempfile.TemporaryDirectory() as name:
        elf = emulator.build(arguments.folder, core, Path(name) / "checks.elf", engine)
        printed = emulator.run(elf, arguments.machine, timeout_seconds=arguments.timeout)
    print(printed, end="")
    checks = printed.splitlines()
    failed = sum(line.startswith("FAILED ") for line in checks)
    what = ", row engine" if engine.has_rows else ""
    print(f"{arguments.machine} ({core}){what}: {len(checks) - failed} of {len(checks)} checks passed")
    return not failed


if __name__ == "__main__":
    main()
