"""`python -m firmware_export.evidence DIR`: write the evidence pack of an exported folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import tyro

from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import exit_on_user_error


@dataclass(frozen=True)
class Arguments:
    """Write evidence/evidence.md and evidence.json: what an exported folder proves, by topics of flight software.

    The topics are those of ECSS-E-ST-40C, ECSS-Q-ST-80C, ECSS-E-HB-40-02A and EASA's concept paper. Every value comes
    from export.json, or from upsets.json if python -m firmware_export.upsets wrote it into this folder or its
    subfolder upsets. What is not proven is listed. The pack claims no certification.
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    """A folder that python -m firmware_export wrote."""

    verbosity: VerbosityFlags = Verbosity()


def main() -> NoReturn:
    """The command line."""
    exit_on_user_error(_work)


def _work() -> None:
    arguments = read(Arguments, "firmware_export.evidence")
    show_log(arguments.verbosity.level)
    from firmware_export.evidence import pack

    print(*pack.write(arguments.folder), sep="\n")


if __name__ == "__main__":
    main()
