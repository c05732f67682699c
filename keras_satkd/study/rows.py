"""The rows of the study: the settings that each one changes, and the run that trains it."""

from pathlib import Path

from keras_satkd.config import Config
from keras_satkd.config_io import changed
from keras_satkd.models.pretrained import EUROSAT_TEACHERS

ROWS: dict[str, dict[str, object]] = {
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
"""Settings that each row changes. In the study's configuration, teacher 0 is an EfficientViT and 1 a MobileViT."""


STUDENT_SEEDS = {"resnet8": 3, "resnet16": 1}
"""Students, and the number of seeds from which each row trains them."""


def run_folder(workdir: Path, row: str, student: str, seed: int) -> Path:
    """The folder of a row's run. Signs of paths and functions in the student's name become hyphens."""
    row_name = "".join(letter if letter.isalnum() else "-" for letter in row)
    student_name = "".join(letter if letter.isalnum() or letter in "_." else "-" for letter in student)
    return workdir / f"{row_name}-{student_name}-{seed}"


def row_config(common: Config, row: str, student: str, seed: int) -> Config:
    """The common configuration with the settings of this row."""
    settings = {"student": student, "seed": seed, **ROWS[row]}
    return changed(common, settings, f"row {row!r} of the study")
