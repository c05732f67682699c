"""`python -m keras_satkd.study`: compare teachers and weighting rules, with everything else equal.

    python -m keras_satkd.study --data EuroSAT_RGB.zip --workdir runs/study --results docs/study

The rows of the paper's tables III and IV, plus a baseline and rules of our own. All rows have the same
settings but those that each row changes. ResNet8 is trained from several seeds, ResNet16 from one.
`results.json`, `study.md` and `study.png` are updated after every row. Repeat the command to resume an interrupted
study. Several processes can work on one study: each takes rows that no other process is training.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import exit_on_user_error
from keras_satkd.cli import on_this_machine, quiet_imports
from keras_satkd.config_io import load
from keras_satkd.study.rows import STUDENT_SEEDS, Plan, read_plan


@dataclass(frozen=True)
class Arguments:
    """Train a student for every row of the study and compare them on the test images."""

    data: str | None = None
    """Like `--data` of keras_satkd.distill. If not set, the source in the configuration."""

    config: str = "study"
    """A preset or a TOML file with the settings of all rows."""

    workdir: Path = Path("runs/study")
    """Folder with one run per row."""

    results: Path | None = None
    """Folder for `results.json`, `study.md` and `study.png`. If not set, the workdir.
    Rows that are already in it, from any machine, are not trained again."""

    rows: tuple[str, ...] = ()
    """Names of the rows to train. If not set, all."""

    rows_from: str | None = None
    """A TOML file with rows of your own, or the name of one that ships: `methods`, `labels`. Each table is a
    row, named by its heading, with the settings that it changes. If not set, the paper's rows."""

    students: tuple[str, ...] = tuple(STUDENT_SEEDS)
    """Students to train."""

    seeds: int = max(STUDENT_SEEDS.values())
    """Largest number of seeds per row and student. ResNet16 is trained from one seed."""

    lower: bool = False
    """Train nothing. Write each missing row's training as a program, as keras_satkd.lower does, and print its folder.
    Copy `trained.npz` back into these folders and repeat the command to continue the study."""

    verbosity: VerbosityFlags = Verbosity()


def main() -> NoReturn:
    """The command line."""

    def work() -> None:
        arguments = read(Arguments, "keras_satkd.study")
        show_log(arguments.verbosity.level)
        with quiet_imports():
            from keras_satkd.study.trainings import study
        workdir = on_this_machine(arguments.workdir, "a study's")
        common = load(arguments.config)
        if arguments.data is not None:
            common = dataclasses.replace(common, data=dataclasses.replace(common.data, source=arguments.data))
        study(
            Plan(common) if arguments.rows_from is None else read_plan(common, arguments.rows_from),
            workdir,
            arguments.results or workdir,
            rows=arguments.rows,
            chosen_students=arguments.students,
            seeds=arguments.seeds,
            lowers=arguments.lower,
        )

    exit_on_user_error(work, is_resumable=True)


if __name__ == "__main__":
    main()
