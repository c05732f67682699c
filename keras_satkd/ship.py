"""`python -m keras_satkd.ship`: copy a run's models, each with a JSON file that describes how it was made.

    python -m keras_satkd.ship --workdir runs/eurosat --out keras_satkd/pretrained

A run of `keras_satkd.distill` gives `resnet8_eurosat.keras` (float) and `resnet8_eurosat_int8.tflite`. Each teacher
that the run fine-tuned gives a folder such as `efficientvit_m2_eurosat`, which `--teachers.names` accepts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import exit_on_user_error
from keras_satkd.cli import on_this_machine, quiet_imports


@dataclass(frozen=True)
class Arguments:
    """Copy the models of a finished run to a folder. Score each copy and describe it in a JSON file."""

    workdir: Path
    """The run's folder."""

    out: Path
    """Output folder. Files with the same names are replaced."""

    suffix: str = "eurosat"
    """End of every name: the data that the models were trained on."""

    verbosity: VerbosityFlags = Verbosity()


def main() -> NoReturn:
    """The command line."""

    def work() -> None:
        arguments = read(Arguments, "keras_satkd.ship")
        show_log(arguments.verbosity.level)
        with quiet_imports():
            from keras_satkd.pipeline import release
        for path in release.ship(on_this_machine(arguments.workdir), arguments.out, arguments.suffix):
            print(path)

    exit_on_user_error(work)


if __name__ == "__main__":
    main()
