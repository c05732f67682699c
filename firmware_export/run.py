"""`python -m firmware_export.run DIR`: run an exported folder's checks on an emulated microcontroller."""

import math
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import tyro

from firmware_export.board import check_programs, emulator
from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError, exit_on_user_error, unknown_name

_MACHINE = "mps2-an386"


@dataclass(frozen=True)
class Arguments:
    """Cross-compile an exported folder and run its checks on an emulated microcontroller.

    The checks verify the model array where the linker placed it, damage copies of it, detect and repair the damage,
    and compare the golden vectors with their CRC-32. The row engine's constants are checked in the same way. The row
    engine also runs: its outputs for the golden vectors must equal those of TensorFlow Lite Micro. Exit code 1: a
    check failed. Exit code 2: the command or the folder has an error; the message says how to fix it.

    --count counts instead: the row engine's instructions for an image, by kind of layer, and an estimate of the time
    on the parts that the export lists.
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    """A folder that python -m firmware_export wrote."""

    machine: str | None = None
    """QEMU's name of the board: mps2-an386 (Cortex-M4), mps2-an500 (Cortex-M7) or mps3-an547 (Cortex-M55). By default
    mps2-an386; --count counts on Cortex-M4 and M55."""

    count: bool = False
    """Count instructions instead of running the checks."""

    timeout: float = 120.0
    """Time limit of the emulator for one engine, in seconds."""

    verbosity: VerbosityFlags = Verbosity()


def main() -> NoReturn:
    """The command line."""
    exit_on_user_error(_work)


def _work() -> None:
    """Build, run, and print one line per check; exit with 1 if any failed."""
    arguments = read(Arguments, "firmware_export.run")
    show_log(arguments.verbosity.level)
    if arguments.machine is not None and arguments.machine not in emulator.MACHINES:
        raise unknown_name("machine", arguments.machine, emulator.MACHINES)
    if not 0 < arguments.timeout < math.inf:
        raise UserError(
            f"--timeout {arguments.timeout:g}, a positive number of seconds expected: give 120, for example"
        )
    if arguments.count:
        from firmware_export.bounds import show_counts

        show_counts.show(arguments.folder, arguments.machine, arguments.timeout)
        return
    engines = check_programs.engines(arguments.folder)
    if not all([_passes(arguments, engine) for engine in engines]):  # a list, so that every engine runs
        sys.exit(1)


def _passes(arguments: Arguments, engine: Engine) -> bool:
    machine = arguments.machine or _MACHINE
    core = emulator.MACHINES[machine]
    with tempfile.TemporaryDirectory() as name:
        elf = emulator.build(arguments.folder, core, Path(name) / "checks.elf", engine)
        printed = emulator.run(elf, machine, timeout_seconds=arguments.timeout)
    print(printed, end="")
    checks = printed.splitlines()
    failed = sum(line.startswith("FAILED ") for line in checks)
    suffix = ", row engine" if engine.has_rows else ""
    print(f"{machine} ({core}){suffix}: {len(checks) - failed} of {len(checks)} checks passed")
    return not failed


if __name__ == "__main__":
    main()
