"""`python -m keras_satkd.ship`: a run's models, each with a JSON beside it that says how it was made.

    python -m keras_satkd.ship --workdir runs/eurosat --out keras_satkd/pretrained

Of a run of `keras_satkd.distill`: `resnet8_eurosat.keras` (float) and `resnet8_eurosat_int8.tflite`. Of every teacher
that the run fine-tuned: a folder `efficientvit_m2_eurosat`, which `--teachers.names` takes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import exit_on_user_error
from keras_satkd.cli import quiet_imports


@dataclass(frozen=True)
class Arguments:
    """Copy what a finished run made to a folder, each file scored again and described."""

    workdir: Path
    """The run's folder."""

    out: Path
    """Where the files go; those of the same names are replaced."""

    suffix: str = "eurosat"
    """Ends every name: what the models were trained on."""

    verbosity: VerbosityFlags = Verbosity()


def main() -> NoReturn:
    """The command line."""

    def work() -> None:
        arguments = read(Arguments, "keras_satkd.ship")
        show_log(arguments.verbosity.level)
        with quiet_imports():
            from keras_satkd.pipeline import release
        for path in release.ship(arguments.workdir, arguments.out, arguments.suffix):
            print(path)

    exit_on_user_error(work)


if __name__ == "__main__":
    main()
