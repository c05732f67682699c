"""`python -m keras_satkd.study`: what each teacher and each weighting rule buys, everything else being equal.

    python -m keras_satkd.study --data EuroSAT_RGB.zip --workdir runs/study --results docs/study

The rows of the paper's tables III and IV, with a baseline and rules of our own: every row has the same images, schedule
and augmentation, and differs in what `ROWS` says. ResNet8 is trained from several seeds, ResNet16 from one. A stopped
study goes on where it was; `results.json`, `study.md` and `study.png` are renewed after every row. Several processes
may work on one study: each takes rows that no other is training.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from firmware_export.command_line import Verbosity, VerbosityFlags, read, show_log
from firmware_export.errors import exit_on_user_error
from keras_satkd.shipped import EUROSAT_TEACHERS

ROWS: dict[str, dict[str, object]] = {
    "no teacher": {"distillation.weighting.rule": "none"},
    "EfficientViT alone": {"distillation.weighting.rule": "single", "distillation.weighting.single_teacher": 0},
    "MobileViT alone": {"distillation.weighting.rule": "single", "distillation.weighting.single_teacher": 1},
    "both, equal weights": {"distillation.weighting.rule": "static"},
    "both, paper's rule per batch": {"distillation.weighting.rule": "paper-batch"},
    "both, paper's rule per sample": {"distillation.weighting.rule": "paper-sample"},
    "both, calibrated confidence per sample": {"distillation.weighting.rule": "confidence"},
    "both, entropy per sample": {"distillation.weighting.rule": "entropy"},
    # Against what the corruption table shows of all rows above.
    "both, calibrated confidence, noisy images": {
        "distillation.weighting.rule": "confidence",
        "distillation.sensor_noise": 0.2,
    },
    # The loss that the shipped students learned by (preset `eurosat_long`), at this study's schedule.
    "best recipe: three teachers": {
        "teachers.names": list(EUROSAT_TEACHERS),
        "distillation.temperature": 3.0,
        "distillation.weighting.rule": "confidence",
        "distillation.weighting.distillation_share": 0.7,
    },
}
"""What each row changes in the study's configuration, whose first teacher is an EfficientViT and second a MobileViT."""

STUDENT_SEEDS = {"resnet8": 3, "resnet16": 1}
"""Students, and from how many seeds each row trains them."""


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
    from whatever machine, are not trained again."""

    rows: tuple[str, ...] = tuple(ROWS)
    """Which rows, by name."""

    students: tuple[str, ...] = tuple(STUDENT_SEEDS)
    """Which students."""

    seeds: int = max(STUDENT_SEEDS.values())
    """From how many seeds at most each row trains a student; ResNet16 is trained from one."""

    lower: bool = False
    """Train nothing: write each missing row's training as a program, as keras_satkd.lower does, and print its folder.
    With `trained.npz` back in these folders, the study goes on."""

    verbosity: VerbosityFlags = Verbosity()


def main() -> NoReturn:
    """The command line."""

    def work() -> None:
        arguments = read(Arguments, "keras_satkd.study")
        show_log(arguments.verbosity.level)
        from keras_satkd.cli import import_quietly

        import_quietly("keras_satkd.comparison").study(arguments)

    exit_on_user_error(work, is_resumable=True)


if __name__ == "__main__":
    main()
