"""The result of each step of a run, and its keys in `metrics.json`."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self

from firmware_export.common import digests

CLASS_NAMES = ("data", "classes")
"""Path of keys to the class names of a run in `metrics.json`."""

Scores = dict[str, float]
"""Result of `evaluation.metrics.score`, each value in [0, 1]."""

TEACHER = "teacher "
"""Prefix of a teacher's name among all models of a run and among its steps."""

ROUND = "round "
"""Prefix of the number of a round before the last, of whose student it is the name among all models and steps."""


@dataclass(frozen=True)
class StepResult:
    """The result of a step.

    Attributes:
        seconds: time of the step.
        sha256: SHA-256 of each file that the step wrote and that a later step or another run reads, by name; None if
            an older version did not record it.
    """

    sha256: dict[str, str] | None = field(default=None, kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The result in `values` of `metrics.json`. Fields that an older version did not write get their defaults."""
        found = {each.name: values[_key(each)] for each in dataclasses.fields(cls) if _key(each) in values}
        return cls(**found)

    def to_json(self) -> dict[str, Any]:
        """Values for `metrics.json`; fields that are None are left out."""
        values = {_key(each): getattr(self, each.name) for each in dataclasses.fields(self)}
        # The time is the last key.
        values["seconds"] = values.pop("seconds")
        return {key: value for key, value in values.items() if value is not None}


def _key(of: "dataclasses.Field[Any]") -> str:
    key: str = of.metadata.get("key", of.name)
    return key


@dataclass(frozen=True)
class DataResult(StepResult):
    """The images.

    Attributes:
        classes: class names in the order of the logits.
        train: number of training images.
        validation: number of validation images.
        test: number of test images.
        split_sha256: SHA-256 of the list of files and their parts.
        hardware: the machine on which the run began.
        pixels_sha256: `Split.pixels_sha256`; None if an older version did not record it.
        unlabelled_sha256: `pixel_digest.of` the images that the teachers label; None without any.
    """

    classes: list[str]
    train: int
    validation: int
    test: int
    split_sha256: str
    hardware: str
    pixels_sha256: str | None = None
    unlabelled_sha256: str | None = None


@dataclass(frozen=True)
class TeacherResult(StepResult):
    """A teacher that the run fine-tuned.

    Attributes:
        validation: scores on the validation images, and the temperature fitted on them.
        initial_weights: `provenance.describe` of the teacher whose training was continued; None without one.
    """

    validation: Scores = field(default_factory=dict)
    initial_weights: dict[str, Any] | None = field(default=None, metadata={"key": "began_from"})


@dataclass(frozen=True)
class DistillationResult(StepResult):
    """The float student.

    Attributes:
        file: its name in the run's folder.
        parameters: number of trainable parameters.
        macs: multiply-accumulates per image.
        teachers: SHA-256 of each teacher, by name; None if an older version did not record it.
        calibration: temperature of each teacher, by name; None if an older version did not record it.
        initial_weights: `provenance.describe` of the student whose training was continued; None without one.
        pseudo_labels: number of training images that the teachers labelled, by class; None without unlabelled images.
    """

    file: str
    parameters: int
    macs: int
    teachers: dict[str, str] | None = None
    calibration: dict[str, float] | None = None
    initial_weights: dict[str, Any] | None = field(default=None, metadata={"key": "began_from"})
    pseudo_labels: dict[str, int] | None = None


@dataclass(frozen=True)
class RoundResult(StepResult):
    """The float student of a round of self-distillation before the last.

    Attributes:
        file: its name in the run's folder.
        validation: scores on the validation images, undisturbed.
    """

    file: str
    validation: Scores = field(default_factory=dict)


@dataclass(frozen=True)
class QuantizationResult(StepResult):
    """The student after quantization-aware training.

    Attributes:
        file: its name in the run's folder.
    """

    file: str


@dataclass(frozen=True)
class Int8Result(StepResult):
    """The exported model.

    Attributes:
        file: its name in the run's folder.
        bytes: size of the file.
    """

    file: str
    bytes: int


@dataclass(frozen=True)
class FirmwareResult(StepResult):
    """The export.

    Attributes:
        folder: its name in the run's folder.
        flash_bytes: size of the model in flash.
        arena_bytes: size of the arena, with margin.
    """

    folder: str
    flash_bytes: int
    arena_bytes: int


@dataclass(frozen=True)
class TestResult(StepResult):
    """Test scores of every model.

    Attributes:
        scores: by model: teachers by `teacher_model`, students of earlier rounds (`round 1`), then `float`, `ptq`,
            `qat` (if it was trained), `int8`.
        confusion: [C][C] number of images by true and predicted class, of the int8 model.
        corruptions: `images`, the number of corrupted images, and for `float` and `int8` the accuracy by corruption.
        cost: `costs.network_cost` of the models.
        camera: `images`, the number of disturbed images; for `float` and `int8` what `evaluation.camera.suite` returns,
            with the result of `behind` if the run has a sensor. None in runs without a camera.
        risk: `evaluation.risk.curves` of the int8 model; None if an older version did not record it.
        drift: what `evaluation.drift.evaluate` returns. None in runs without a camera, or with too few images.
        precision_recall: what `evaluation.precision_recall.evaluate` returns for the int8 model; None if there are not
            two classes, or an older version did not record it.
        pgd: `images`, the number of attacked images, the numbers of the attack (`pgd.Attack`), and of the float student
            the accuracy without it, `clean`, and after it, `accuracy`. None in runs without adversarial training.
        guidance: `evaluation.guidance.curves` of the int8 model with the run's teachers; None without teachers, or if
            an older version did not record it.
    """

    # Without this, pytest collects the class as tests.
    __test__ = False

    scores: dict[str, Scores]
    confusion: list[list[int]]
    corruptions: dict[str, Any] = field(metadata={"key": "noise"})
    cost: dict[str, dict[str, Any]]
    camera: dict[str, Any] | None = None
    risk: dict[str, Any] | None = None
    drift: dict[str, Any] | None = None
    precision_recall: dict[str, Any] | None = None
    guidance: dict[str, Any] | None = None
    pgd: dict[str, Any] | None = None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """As for any step, but each model's scores are on the same level as the other keys."""
        others = {_key(each) for each in dataclasses.fields(cls)}
        scores = {name: found for name, found in values.items() if name not in others}
        return super().from_json({**values, "scores": scores})

    def to_json(self) -> dict[str, Any]:
        """As for any step, but each model's scores are on the same level as the other keys."""
        values = super().to_json()
        return {**values.pop("scores"), **values}

    @property
    def teachers(self) -> list[str]:
        """Names of the teachers among the models."""
        return [name.removeprefix(TEACHER) for name in self.scores if name.startswith(TEACHER)]

    @property
    def rounds(self) -> list[str]:
        """Names of the students of earlier rounds among the models."""
        return [name for name in self.scores if name.startswith(ROUND)]


@dataclass(frozen=True)
class ReportResult(StepResult):
    """The report.

    Attributes:
        file: its name in the run's folder.
    """

    file: str


@dataclass(frozen=True)
class StudyResult(StepResult):
    """The test scores of a row of the study.

    Attributes:
        evaluation: result of `scoring.evaluate`.
    """

    evaluation: dict[str, Any]

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """As for any step, but the evaluation's keys are on the same level as the time."""
        evaluation = {name: found for name, found in values.items() if name not in ("seconds", digests.KEY)}
        return cls(evaluation, seconds=values["seconds"])

    def to_json(self) -> dict[str, Any]:
        """As for any step, but the evaluation's keys are on the same level as the time."""
        return {**self.evaluation, "seconds": self.seconds}
