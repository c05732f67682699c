"""The first step of every run: all inputs are checked before the run creates its folder."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.common import digests
from firmware_export.common.command_line import check_values
from firmware_export.common.errors import UserError
from firmware_export.common.files import write_json
from keras_satkd import config_io, weighting
from keras_satkd.camera import sensor as sensors
from keras_satkd.camera.sensor import Sensor
from keras_satkd.camera.training import Mixture
from keras_satkd.config import Config, DistillationConfig, TeachersConfig, TrainingConfig
from keras_satkd.data import duplicates
from keras_satkd.data.sources import load
from keras_satkd.data.splits import Split, split
from keras_satkd.models import pretrained, students, teacher_zoo, teachers
from keras_satkd.models.teacher import AnyTeacher
from keras_satkd.run import stages
from keras_satkd.run.artifacts import SENSOR_FILE, SPLIT_FILE
from keras_satkd.run.folder import LOWERED, Run, describe_changes
from keras_satkd.run.hardware import processor
from keras_satkd.run.results import DataResult
from keras_satkd.run.stages import DATA, DISTILLATION, QUANTIZATION, Stage, Step
from keras_satkd.training import stored_teachers
from keras_satkd.training.fit import check_precision
from keras_satkd.training.offload import check_exportable
from keras_satkd.training.run_offloaded import TRAINED_FILE

logger = logging.getLogger(__name__)

_RGB = ("red", "green", "blue")
IMBALANCE = 5
"""Ratio of the largest and the smallest class from which on class weights are suggested."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of a run.

    Attributes:
        split: the images.
        teachers: by their names in the configuration; None for those that must be fine-tuned.
        teachers_of_teachers: trained teachers for the fine-tuning of the others.
        camera: disturbs training and validation images; None without a camera.
        sensor: the sensor that the run was started with; None without a camera or with `any`.
    """

    split: Split
    teachers: dict[str, AnyTeacher | None]
    teachers_of_teachers: list[AnyTeacher]
    camera: Mixture | None = None
    sensor: Sensor | None = None


def prepare(run: Run, least_images: int = 0, *, fine_tunes_only: bool = False) -> Inputs:
    """Load and split the images, and load the trained teachers.

    Args:
        run: its configuration gives the inputs; its folder is claimed after all checks.
        least_images: number of training and validation images, together, that the run's last step needs.
        fine_tunes_only: the run only fine-tunes its teachers, even if the student's rule would not use them.

    Raises:
        UserError: something in the configuration does not exist or does not fit.
    """
    config = run.config
    students.check_name(config.student)
    teachers.check_names(config.teachers.names)
    teachers.check_initial_weights(config.teachers.initial_weights)
    teachers.check_trained(config.teachers.taught_by)
    for mixed in (config.teachers.mixed_precision, config.distillation.mixed_precision):
        check_precision(mixed)
    sensor = sensor_of(run)
    images = load(config.data)
    check_values("--class-names", images.class_names)  # the exported files quote the command that makes them
    if sensor is not None:
        sensor.capture(images.images[:1])  # checks its number of bands
    # Built to check its initial weights and its image size.
    students.build(config.student, config.data.image_size, len(images.class_names), config.distillation.initial_weights)
    names = config.teachers.names or pretrained.teacher_names(images.class_names)
    weighting.make_rule(config.distillation.weighting, len(names), config.distillation.temperature)

    def trained(name: str, training: DistillationConfig | TeachersConfig) -> AnyTeacher:
        teacher = teachers.load(name, config.teachers.saved_model_input, trust=config.teachers.trust_models)
        teacher = teachers.with_bands(teacher, _RGB)
        stored_teachers.check(teacher, images.files, config.distillation, training, config.camera)
        return teachers.with_classes(teacher, images.class_names)

    inputs = Inputs(
        split(images, config.data),
        {name: trained(name, config.distillation) if teachers.is_trained(name) else None for name in names},
        [trained(name, config.teachers) for name in config.teachers.taught_by],
        sensors.mixture(config.camera, sensor),
        sensor,
    )
    logger.info("%s: %s", config.data.name, inputs.split.summary())
    for line in inputs.split.classes():
        logger.info("  %s", line)
    _tell_imbalance(inputs.split, config)
    if DATA not in run.results and not config.data.deduplicate:
        _tell_duplicates(inputs.split)
    found = len(inputs.split.train) + len(inputs.split.validation)
    if found < least_images:
        raise UserError(
            f"{config.data.name} gives {found} training and validation images, but the export needs "
            f"{least_images}: add images, or use keras_satkd.quantize, which exports nothing"
        )
    missing: list[str] = []
    if fine_tunes_only or weighting.RULES[config.distillation.weighting.rule].uses_teachers:
        untrained = [name for name, teacher in inputs.teachers.items() if teacher is None]
        missing = [name for name in untrained if stages.teacher(name) not in run.results]
        _check_fine_tuning(config, missing, len(images.class_names))
    begin(run, inputs.split, missing)
    _keep(run, sensor)
    return inputs


def _tell_imbalance(divided: Split, config: Config) -> None:
    images = np.bincount(divided.train.labels, minlength=len(divided.train.class_names))
    ratio = images.max() / max(1, images.min())
    if ratio >= IMBALANCE and config.distillation.class_weights == "none":
        logger.info(
            "the largest class has %.0f times as many training images as the smallest: --distillation.class-weights "
            "balanced makes all classes count alike",
            ratio,
        )


def _tell_duplicates(divided: Split) -> None:
    summary = duplicates.find(divided.train, [divided.validation, divided.test]).summary()
    if summary is not None:
        logger.warning("%s: --data.deduplicate removes them from training", summary)


def sensor_of(run: Run) -> Sensor | None:
    """The run's sensor: the one in its folder if the run has begun training, otherwise the given one.

    Returns:
        None without a camera and with `any`.

    Raises:
        UserError: the given sensor does not exist, has a mistake, or has changed since the run began training.
    """
    name = run.config.camera.sensor
    if name is None or name == sensors.ANY:
        return None
    kept_file = run.path(SENSOR_FILE)
    if not (kept_file.exists() and run.has_begun(Stage.TEACHERS)):
        return sensors.load(name)
    _restore(kept_file, name)
    kept = sensors.load(str(kept_file))
    if name.endswith(".toml") and not Path(name).exists():
        logger.warning("--sensor %s does not exist: the run's copy %s is used", name, kept_file)
        return kept
    before, now = (config_io.flatten(each.model_dump()) for each in (kept, sensors.load(name)))
    changes = {key: (before.get(key), now.get(key)) for key in before | now if before.get(key) != now.get(key)}
    if changes:
        raise UserError(
            f"--workdir {run.workdir} was made with {describe_changes(changes)} in --sensor {name}: restore them "
            f"(the run's copy is {kept_file}), or give another folder"
        )
    return kept


def _restore(kept_file: Path, name: str) -> None:
    """Write a damaged copy of the sensor again if the given sensor still is the same; otherwise refuse it."""
    if digests.is_whole(kept_file):
        return
    if not name.endswith(".toml") or Path(name).exists():
        text = sensors.load(name).to_toml()
        if digests.is_recorded(kept_file, text.encode()):
            logger.warning("%s is damaged: it is written again from --sensor %s", kept_file, name)
            digests.write_text(kept_file, text)
    digests.check(kept_file, f"restore a copy of it, or the file of --sensor {name} with which the run was started")


def _keep(run: Run, sensor: Sensor | None) -> None:
    if sensor is None:
        digests.remove(run.path(SENSOR_FILE))
    else:
        digests.write_text(run.path(SENSOR_FILE), sensor.to_toml())


def _check_fine_tuning(config: Config, names: Sequence[str], classes: int) -> None:
    """Check that fine-tuning can start: its initial weights are available, and its loss fits its teachers."""
    if names and config.teachers.taught_by:
        distillation = config.distillation
        weighting.make_rule(distillation.weighting, len(config.teachers.taught_by), distillation.temperature)
    if config.teachers.initial_weights not in teacher_zoo.OPTIONAL_WEIGHTS:
        for name in names:
            teachers.build(name, classes, config.teachers.initial_weights)


def _check_exportable(run: Run, missing: Sequence[str]) -> None:
    """Check that the run's next training can be written as a program.

    Trainings that only wait for the import of their result come before it.
    """
    config = run.config
    student, is_in_loop = config.distillation, config.distillation.teacher_logits == "in-loop"
    has_teachers = weighting.RULES[student.weighting.rule].uses_teachers
    trainings: list[tuple[Step[Any], TrainingConfig, str, bool]] = [
        (stages.teacher(name), config.teachers, config.teachers.augmentation, bool(config.teachers.taught_by))
        for name in missing
    ]
    trainings.append((DISTILLATION, student, student.augmentation, has_teachers))
    if config.quantization.epochs:
        trainings.append((QUANTIZATION, config.quantization, student.augmentation, has_teachers))
    for step, training, augmentation, is_taught in trainings:
        if step in run.results:
            continue
        check_exportable(training, augmentation, is_in_loop=is_taught and is_in_loop)
        if not run.path(LOWERED, str(step.phase), TRAINED_FILE).exists():
            return


def begin(run: Run, divided: Split, missing: Sequence[str] = ()) -> None:
    """Claim the run's folder and record the split of the images in it.

    Args:
        run: the run.
        divided: its images.
        missing: names of the teachers that must be fine-tuned.

    Raises:
        UserError: finished steps of the run used other images, or its next training cannot be written as a program.
    """
    if run.lowers:
        _check_exportable(run, missing)
    if DATA in run.results and run.results[DATA].split_sha256 != divided.sha256:
        raise UserError(
            f"--workdir {run.workdir} was made with other images than {run.config.data.name} has now: give the same "
            "images, or another folder"
        )

    def write_split() -> None:
        write_json(run.path(SPLIT_FILE), {"sha256": divided.sha256, **divided.file_list()})

    def record() -> DataResult:
        write_split()
        return DataResult(
            list(divided.train.class_names),
            len(divided.train),
            len(divided.validation),
            len(divided.test),
            divided.sha256,
            processor(),
        )

    run.claim()
    run.step(DATA, record)
    kept = (run.results[DATA].sha256 or {}).get(SPLIT_FILE)
    if kept is not None and (not run.path(SPLIT_FILE).exists() or digests.of(run.path(SPLIT_FILE)) != kept):
        logger.warning("%s is damaged or missing: it is written again", run.path(SPLIT_FILE))
        write_split()
