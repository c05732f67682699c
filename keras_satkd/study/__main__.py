"""`python -m keras_satkd.study`: a comparison of teachers and weighting rules, everything else being equal.

    python -m keras_satkd.study --data EuroSAT_RGB.zip --workdir runs/study --results docs/study

The rows of the paper's tables III and IV, with a baseline and rules of our own: every row has the same images, schedule
and augmentation, and differs in the settings that `ROWS` lists. ResNet8 is trained from several seeds, ResNet16 from
one. `results.json`, `study.md` and `study.png` are renewed after every row; repeat the command to resume an interrupted
study. Several processes may work on one study: each takes rows that no other is training.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from firmware_export.common.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.common.errors import exit_on_user_error
from keras_satkd.cli import quiet_imports
from keras_satkd.config import load
from keras_satkd.study.rows import ROWS, STUDENT_SEEDS


@dataclass(frozen=True)
class Arguments:
    """Train a student for every row of the study and compare them on the test images."""

    data: str | None = None
    """As `--data` of keras_satkd.distill; the configuration's source when not given."""

    config: str = "study"
    """A preset or a TOML file: what all rows have in common."""

    workdir: Path = Path("runs/study")
    """A folder with one run a row."""

    results: Path | None = None
    """Where `results.json`, `study.md` and `study.png` lie; the workdir when not given. Rows that are in there already,
    from any machine, are not trained again."""

    rows: tuple[str, ...] = tuple(ROWS)
    """Which rows, by name."""

    students: tuple[str, ...] = tuple(STUDENT_SEEDS)
    """Which students."""

    seeds: int = max(STUDENT_SEEDS.values())
    """From how many seeds at most each row trains a student; ResNet16 is trained from one."""

    lower: bool = False
    """Train nothing: write each missing row's training as a program, as keras_satkd.lower does, and print its folder.
    With `trained.npz` back in these folders, the study continues."""

    verbosity: VerbosityFlags = Verbosity()


def main() -> NoReturn:
    """The command line."""

    def work() -> None:
        arguments = read(Arguments, "keras_satkd.study")
        show_log(arguments.verbosity.level)
        with quiet_imports():
            from keras_satkd.study.trainings import study
        common = load(arguments.config)
        if arguments.data is not None:
            common = dataclasses.replace(common, data=dataclasses.replace(common.data, source=arguments.data))
        study(
            common,
            arguments.workdir,
            arguments.results or arguments.workdir,
            rows=arguments.rows,
            chosen_students=arguments.students,
            seeds=arguments.seeds,
            lowers=arguments.lower,
        )

    exit_on_user_error(work, is_resumable=True)


if __name__ == "__main__":
    main()
