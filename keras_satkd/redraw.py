"""`python -m keras_satkd.redraw`: write the report of a finished run again, from its results.

    python -m keras_satkd.redraw --workdir runs/eurosat

It reads neither models nor images, so it takes seconds and changes no numbers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import exit_on_user_error
from firmware_export.common.extras import training_packages
from keras_satkd.cli import on_this_machine


@dataclass(frozen=True)
class Arguments:
    """Write report.html and model_card.md of a finished run again."""

    workdir: Path
    """The run's folder."""

    verbosity: VerbosityFlags = Verbosity()


def main() -> NoReturn:
    """The command line."""

    def work() -> None:
        arguments = read(Arguments, "keras_satkd.redraw")
        show_log(arguments.verbosity.level)
        with training_packages():
            from keras_satkd.report.write import report
            from keras_satkd.run.folder import Run

        run = Run.open(on_this_machine(arguments.workdir))
        print(run.path(report(run).file))

    exit_on_user_error(work)


if __name__ == "__main__":
    main()
