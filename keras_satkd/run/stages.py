"""The steps of a run, their order, and the settings that they depend on.

Settings of later steps can change in an existing run: the earlier steps are kept.
"""

import enum
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from keras_satkd.config import Config
from keras_satkd.config_io import flatten, to_dict
from keras_satkd.run.artifacts import (
    FIRMWARE_FOLDER,
    INT8_FILE,
    MODEL_CARD_FILE,
    POST_TRAINING_FILE,
    PREDICTIONS_FILE,
    QUANTIZED_STUDENT_FILE,
    REPORT_FILE,
    ROUNDS_FOLDER,
    SCALING_FILE,
    SENSOR_FILE,
    SPLIT_FILE,
    STUDENT_FILE,
    TEACHER_DESCRIPTION_FILE,
    TEACHER_WEIGHTS_FILE,
    TEACHERS_FOLDER,
    VALIDATION_FILE,
    VERIFICATION_FILE,
)
from keras_satkd.run.results import (
    ROUND,
    TEACHER,
    DataResult,
    DistillationResult,
    FirmwareResult,
    Int8Result,
    QuantizationResult,
    ReportResult,
    RoundResult,
    StepResult,
    StudyResult,
    TeacherResult,
    TestResult,
)


class Stage(enum.IntEnum):
    """The order of the steps. The steps of all teachers are one stage. Each stage depends on the earlier ones."""

    DATA = 0
    TEACHERS = 1
    DISTILLATION = 2
    STUDY = 3
    QUANTIZATION = 4
    INT8 = 5
    FIRMWARE = 6
    TEST = 7
    REPORT = 8


Found = TypeVar("Found", bound=StepResult)


@dataclass(frozen=True)
class Step(Generic[Found]):
    """A step of a run.

    Attributes:
        name: its key in `metrics.json`.
        stage: its position in the pipeline.
        result: the type of its result.
        phase: name of its training in `metrics.csv` and `checkpoints/`; None if it trains nothing.
        files: the files that it writes into the run's folder.
        export: the folder that it exports; None if it exports nothing.
    """

    name: str
    stage: Stage
    result: type[Found]
    phase: str | None = None
    files: tuple[str, ...] = ()
    export: str | None = None


DATA = Step("data", Stage.DATA, DataResult, files=(SPLIT_FILE, SENSOR_FILE, SCALING_FILE))
DISTILLATION = Step("distillation", Stage.DISTILLATION, DistillationResult, "distillation", (STUDENT_FILE,))
STUDY = Step("study", Stage.STUDY, StudyResult)
QUANTIZATION = Step("quantization", Stage.QUANTIZATION, QuantizationResult, "quantization", (QUANTIZED_STUDENT_FILE,))
INT8 = Step("int8", Stage.INT8, Int8Result, files=(INT8_FILE, POST_TRAINING_FILE))
FIRMWARE = Step(
    "firmware", Stage.FIRMWARE, FirmwareResult, files=(VERIFICATION_FILE, VALIDATION_FILE), export=FIRMWARE_FOLDER
)
TEST = Step("test", Stage.TEST, TestResult, files=(PREDICTIONS_FILE,))
REPORT = Step("report", Stage.REPORT, ReportResult, files=(REPORT_FILE, MODEL_CARD_FILE))

_STEPS: dict[str, Step[Any]] = {
    step.name: step for step in (DATA, DISTILLATION, STUDY, QUANTIZATION, INT8, FIRMWARE, TEST, REPORT)
}


def teacher(specification: str) -> Step[TeacherResult]:
    """The step that fine-tunes a teacher, given its name in `teachers.names`."""
    folder = f"{TEACHERS_FOLDER}/{specification}"
    files = (f"{folder}/{TEACHER_WEIGHTS_FILE}", f"{folder}/{TEACHER_DESCRIPTION_FILE}")
    return Step(teacher_model(specification), Stage.TEACHERS, TeacherResult, f"teacher-{specification}", files)


def earlier_round(number: int) -> Step[RoundResult]:
    """The step that trains the student of a round, counted from 1, of self-distillation before the last."""
    files = (f"{ROUNDS_FOLDER}/{number}.keras",)
    return Step(f"{ROUND}{number}", Stage.DISTILLATION, RoundResult, f"{DISTILLATION.phase}-{number}", files)


def teacher_model(name: str) -> str:
    """The name of a teacher among all models of a run."""
    return TEACHER + name


def stage_of_phase(phase: str) -> Stage:
    """The stage that a phase of `metrics.csv` belongs to."""
    stages = {step.phase: step.stage for step in _STEPS.values() if step.phase}
    is_round = phase.startswith(f"{DISTILLATION.phase}-")
    return Stage.DISTILLATION if is_round else stages.get(phase, Stage.TEACHERS)


def steps_from(stage: Stage) -> list[Step[Any]]:
    """The steps of this stage and later ones, without those of teachers and of rounds before the last."""
    return [step for step in _STEPS.values() if step.stage >= stage]


def step_of(name: str) -> Step[Any] | None:
    """The step of a key in `metrics.json`; None if the key is unknown."""
    if name.startswith(ROUND):
        return earlier_round(int(name.removeprefix(ROUND)))
    return teacher(name.removeprefix(TEACHER)) if name.startswith(TEACHER) else _STEPS.get(name)


SETTINGS: dict[Stage, tuple[str, ...]] = {
    Stage.DATA: ("data",),
    Stage.TEACHERS: ("teachers", "camera", "seed"),
    Stage.DISTILLATION: ("distillation", "student"),
    Stage.QUANTIZATION: ("quantization",),
    Stage.FIRMWARE: ("firmware",),
}
"""Settings, or groups of them, and the first stage that reads them."""

NO_STAGE = (
    "data.cache_dir",
    "data.data_dir",
    "data.strict",
    "teachers.trust_models",
    "distillation.logits_store",
    "strategy",
    "worker_timeout",
)
"""Settings that change no result: where the images are kept, which devices train, and what stops the run."""

LOSS_OF_TAUGHT_TEACHERS = (
    "distillation.temperature",
    "distillation.loss",
    "distillation.weighting",
    "distillation.teacher_schedule",
    "distillation.teacher_logits",
    "distillation.views",
)
"""Settings of distillation that also affect the fine-tuning of teachers under `teachers.taught_by`."""


def changed_settings(before: Config, now: Config) -> dict[str, tuple[object, object]]:
    """Names of changed settings (such as `distillation.temperature`) → values before and now."""
    old, new = flatten(to_dict(before)), flatten(to_dict(now))
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}


def first_affected(before: Config, now: Config) -> Stage | None:
    """The first stage whose result the new configuration changes; None if no result changes."""
    stages = [stage_of(name, now) for name in changed_settings(before, now)]
    return min((stage for stage in stages if stage is not None), default=None)


def stage_of(setting: str, config: Config) -> Stage | None:
    """The first stage that reads a setting; None if the setting changes no result."""
    if setting in NO_STAGE:
        return None
    if config.teachers.taught_by and _is_among(setting, LOSS_OF_TAUGHT_TEACHERS):
        return Stage.TEACHERS
    return next(stage for stage, names in SETTINGS.items() if _is_among(setting, names))


def _is_among(setting: str, names: tuple[str, ...]) -> bool:
    return any(setting == name or setting.startswith(f"{name}.") for name in names)
