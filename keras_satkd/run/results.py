"""What each step of a run finds, and the keys under which `metrics.json` keeps it."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self

CLASS_NAMES = ("data", "classes")
"""Keys of `metrics.json` that lead to the class names of a run."""

Scores = dict[str, float]
"""As `evaluation.metrics.score` returns them, each in [0, 1]."""

TEACHER = "teacher "
"""What the names of teachers begin with, among all models of a run and among its steps."""


@dataclass(frozen=True)
class StepResult:
    """What a step found.

    Attributes:
        seconds: that it took.
    """

    seconds: float = field(default=0.0, kw_only=True)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The result that `values` of `metrics.json` hold; what a run of an older version lacks has its default."""
        found = {each.name: values[_key(each)] for each in dataclasses.fields(cls) if _key(each) in values}
        return cls(**found)

    def to_json(self) -> dict[str, Any]:
        """Values for `metrics.json`; fields that are None are left out."""
        values = {_key(each): getattr(self, each.name) for each in dataclasses.fields(self)}
        # The time is noted last.
        values["seconds"] = values.pop("seconds")
        return {key: value for key, value in values.items() if value is not None}


def _key(of: "dataclasses.Field[Any]") -> str:
    key: str = of.metadata.get("key", of.name)
    return key


@dataclass(frozen=True)
class DataResult(StepResult):
    """The images.

    Attributes:
        classes: names in the order of the logits.
        train: number of training images.
        validation: number of validation images.
        test: number of test images.
        split_sha256: of the list of files and their parts.
        hardware: the machine that began the run.
    """

    classes: list[str]
    train: int
    validation: int
    test: int
    split_sha256: str
    hardware: str


@dataclass(frozen=True)
class TeacherResult(StepResult):
    """A teacher that the run fine-tuned.

    Attributes:
        validation: scores on the validation images, and the temperature that calibrates it there.
        initial_weights: `provenance.describe` of the teacher whose training it continued; None without one.
    """

    validation: Scores = field(default_factory=dict)
    initial_weights: dict[str, Any] | None = field(default=None, metadata={"key": "began_from"})


@dataclass(frozen=True)
class DistillationResult(StepResult):
    """The float student.

    Attributes:
        file: its name in the run's folder.
        parameters: trainable ones.
        macs: multiply-accumulates of an image.
        teachers: SHA-256 of each teacher, by name; None in runs that did not note it.
        calibration: temperature of each teacher, by name; None in runs that did not note it.
        initial_weights: `provenance.describe` of the student whose training it continued; None without one.
    """

    file: str
    parameters: int
    macs: int
    teachers: dict[str, str] | None = None
    calibration: dict[str, float] | None = None
    initial_weights: dict[str, Any] | None = field(default=None, metadata={"key": "began_from"})


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
        bytes: its size.
    """

    file: str
    bytes: int


@dataclass(frozen=True)
class FirmwareResult(StepResult):
    """The export.

    Attributes:
        folder: its name in the run's folder.
        flash_bytes: of the model.
        arena_bytes: with margin.
    """

    folder: str
    flash_bytes: int
    arena_bytes: int


@dataclass(frozen=True)
class TestResult(StepResult):
    """Test scores of every model.

    Attributes:
        scores: by model: teachers by `teacher_model`, then `float`, `ptq`, `qat` (where it was trained), `int8`.
        confusion: [C][C] images by true and predicted class, of the int8 model.
        corruptions: `images`, how many were corrupted, and for `float` and `int8` their accuracy by corruption.
        cost: of the models, `costs.network_cost`.
        camera: `images`, how many were disturbed; for `float` and `int8` what `evaluation.camera.suite` returns, and in
            `behind` what its `behind` does, where the run has a sensor. None in runs without a camera.
    """

    # pytest takes a class of this name for tests.
    __test__ = False

    scores: dict[str, Scores]
    confusion: list[list[int]]
    corruptions: dict[str, Any] = field(metadata={"key": "noise"})
    cost: dict[str, dict[str, Any]]
    camera: dict[str, Any] | None = None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """As of any step; each model's scores lie beside the other keys."""
        others = {_key(each) for each in dataclasses.fields(cls)}
        scores = {name: found for name, found in values.items() if name not in others}
        return super().from_json({**values, "scores": scores})

    def to_json(self) -> dict[str, Any]:
        """As of any step; each model's scores lie beside the other keys."""
        values = super().to_json()
        return {**values.pop("scores"), **values}

    @property
    def teachers(self) -> list[str]:
        """Names of the teachers among the models."""
        return [name.removeprefix(TEACHER) for name in self.scores if name.startswith(TEACHER)]


@dataclass(frozen=True)
class ReportResult(StepResult):
    """The report.

    Attributes:
        file: its name in the run's folder.
    """

    file: str


@dataclass(frozen=True)
class StudyResult(StepResult):
    """What a row of the study found on the test images.

    Attributes:
        evaluation: as `scoring.evaluate` returns it.
    """

    evaluation: dict[str, Any]

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """As of any step; the evaluation's keys lie beside the time."""
        evaluation = {name: found for name, found in values.items() if name != "seconds"}
        return cls(evaluation, seconds=values["seconds"])

    def to_json(self) -> dict[str, Any]:
        """As of any step; the evaluation's keys lie beside the time."""
        return {**self.evaluation, "seconds": self.seconds}
