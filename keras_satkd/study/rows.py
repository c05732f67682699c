"""The rows of a study: the settings that each one changes, and the run that trains it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from firmware_export.common.errors import UserError, unknown_name
from keras_satkd.config import Config
from keras_satkd.config_io import PRESETS, changed, flatten, read_toml
from keras_satkd.models.pretrained import EUROSAT_TEACHERS

Rows = Mapping[str, Mapping[str, object]]
"""Settings that each row changes, such as `{"with DKD": {"distillation.loss.name": "dkd"}}`."""

FOLDER = PRESETS / "studies"
"""Files of rows that come with the package."""

_AGAINST = "against"

ROWS: Rows = {
    "no teacher": {"distillation.weighting.rule": "none"},
    "EfficientViT alone": {"distillation.weighting.rule": "single", "distillation.weighting.single_teacher": 0},
    "MobileViT alone": {"distillation.weighting.rule": "single", "distillation.weighting.single_teacher": 1},
    "both, equal weights": {"distillation.weighting.rule": "static"},
    "both, paper's rule per batch": {"distillation.weighting.rule": "paper-batch"},
    "both, paper's rule per sample": {"distillation.weighting.rule": "paper-sample"},
    "both, calibrated confidence per sample": {"distillation.weighting.rule": "confidence"},
    "both, entropy per sample": {"distillation.weighting.rule": "entropy"},
    # Against the weakness to noise that the corruption table shows for all rows above.
    "both, calibrated confidence, noisy images": {
        "distillation.weighting.rule": "confidence",
        "distillation.sensor_noise": 0.2,
    },
    # The loss of the preset `eurosat_long` with the schedule of this study.
    "best recipe: three teachers": {
        "teachers.names": list(EUROSAT_TEACHERS),
        "distillation.temperature": 3.0,
        "distillation.weighting.rule": "confidence",
        "distillation.weighting.distillation_share": 0.7,
    },
}
"""The paper's rows, and some of our own. In the preset `study`, teacher 0 is an EfficientViT and 1 a MobileViT."""


STUDENT_SEEDS = {"resnet8": 3, "resnet16": 1}
"""Students, and the number of seeds from which each row trains them."""


def run_folder(workdir: Path, row: str, student: str, seed: int) -> Path:
    """The folder of a row's run. Signs of paths and functions in the student's name become hyphens."""
    row_name = "".join(letter if letter.isalnum() else "-" for letter in row)
    student_name = "".join(letter if letter.isalnum() or letter in "_." else "-" for letter in student)
    return workdir / f"{row_name}-{student_name}-{seed}"


@dataclass(frozen=True)
class Plan:
    """What a study compares."""

    common: Config
    """The settings of all rows."""

    rows: Rows = field(default_factory=lambda: ROWS)

    against: Mapping[str, str] = field(default_factory=dict)
    """The row that a row is compared with, if not the first one."""

    def config(self, row: str, student: str, seed: int) -> Config:
        """The common settings with those of a row.

        Raises:
            UserError: a setting is unknown, or its value is out of range.
        """
        settings = {"student": student, "seed": seed, **self.rows[row]}
        return changed(self.common, settings, f"row {row!r} of the study")

    def check(self) -> None:
        """Check the settings of every row, and that each row has run folders of its own.

        Raises:
            UserError: a setting is unknown or out of range, the row sets its student or seed, two rows' names differ in
                signs only, or a row is to be compared with one that does not exist.
        """
        for other in self.against.values():
            if other not in self.rows:
                raise unknown_name("row", other, self.rows)
        folders: dict[Path, str] = {}
        for row, settings in self.rows.items():
            for name, option in (("student", "--students"), ("seed", "--seeds")):
                if name in settings:
                    raise UserError(f"row {row!r} of the study sets {name}: give {option} instead")
            self.config(row, self.common.student, self.common.seed)
            other = folders.setdefault(run_folder(Path(), row, self.common.student, 0), row)
            if other != row:
                raise UserError(f"rows {other!r} and {row!r} of the study would share a folder: rename one")


def read_plan(common: Config, name: str) -> Plan:
    """Read rows from a TOML file: each table is a row, named by its heading, with the settings that it changes.

    `against` names the row that it is compared with.

    Args:
        common: the settings of all rows.
        name: a path that ends in `.toml`, or the stem of a file in `FOLDER`.

    Raises:
        UserError: the file does not exist, is not valid TOML, or has something beside tables.
    """
    tables = read_toml(name, FOLDER, "file of rows", "--rows-from")
    for row, settings in tables.items():
        if not isinstance(settings, dict):
            raise UserError(f"--rows-from {name}: {row} is {settings!r}: write each row as a table of settings")
    if not tables:
        raise UserError(f"--rows-from {name} has no rows: write each row as a table of settings")
    against = {row: str(settings.pop(_AGAINST)) for row, settings in tables.items() if _AGAINST in settings}
    return Plan(common, {row: flatten(settings) for row, settings in tables.items()}, against)
