"""The first step of every run: all inputs are checked before the run creates its folder."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_export.common import digests
from firmware_export.common.command_line import check_values
from firmware_export.common.errors import UserError
from firmware_export.common.files import encoded, write_json
from firmware_export.images.image_set import RGB, ImageSet
from firmware_export.images.scaling import Scaling
from keras_satkd import weighting
from keras_satkd.camera import sensor as sensors
from keras_satkd.camera.training import Mixture
from keras_satkd.config import Config, DistillationConfig, TeachersConfig, TrainingConfig
from keras_satkd.data import duplicates, pixel_digest, reading, scaling, scaling_log, unlabelled
from keras_satkd.data.sources import load
from keras_satkd.data.splits import Split
from keras_satkd.models import bands, pretrained, student_registry, students, teacher_zoo, teachers
from keras_satkd.models.teacher import AnyTeacher
from keras_satkd.pipeline import method_checks, methods, own_student, parallel_checks, run_sensor, same_images
from keras_satkd.run import stages
from keras_satkd.run.artifacts import SCALING_FILE, SPLIT_FILE
from keras_satkd.run.folder import LOWERED, Run
from keras_satkd.run.hardware import processor
from keras_satkd.run.results import DataResult
from keras_satkd.run.stages import DATA, DISTILLATION, QUANTIZATION, Step
from keras_satkd.training import stored_teachers
from keras_satkd.training.fit import check_precision
from keras_satkd.training.offload import check_exportable
from keras_satkd.training.run_offloaded import TRAINED_FILE

logger = logging.getLogger(__name__)

IMBALANCE = 5
"""Ratio of the largest and the smallest class from which on class weights are suggested."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of a run.

    Attributes:
        split: the images, uint8 in 0..255.
        teachers: by their names in the configuration; None for those that must be fine-tuned.
        teachers_of_teachers: trained teachers for the fine-tuning of the others.
        camera: disturbs training and validation images; None without a camera.
        sensor: the sensor that the run was started with; None without a camera or with `any`.
        scaling: how the files' samples became those of the images; None for ordinary 8-bit pictures.
        rgb: the channels that are red, green and blue; None if they are not known.
        unlabelled: images that the teachers label, uint8 in 0..255; None without any.
    """

    split: Split
    teachers: dict[str, AnyTeacher | None]
    teachers_of_teachers: list[AnyTeacher]
    camera: Mixture | None = None
    sensor: sensors.Sensor | None = None
    scaling: Scaling | None = None
    rgb: tuple[int, int, int] | None = (0, 1, 2)
    unlabelled: ImageSet | None = None


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
    students.find(config.student)
    teachers.check_names(config.teachers.names)
    teachers.check_initial_weights(config.teachers.initial_weights)
    teachers.check_trained(config.teachers.taught_by)
    for mixed in (config.teachers.mixed_precision, config.distillation.mixed_precision):
        check_precision(mixed)
    sensor = run_sensor.of(run)
    images = load(config.data)
    # The report and the exported files contain them, and quote the command.
    check_values("--class-names", images.class_names)
    encoded("\n".join((*config.data.sources, *images.class_names)), config.data.name)
    divided, scaled = scaling.split_scaled(images, config.data)
    channels, rgb = images.channel_names, reading.rgb_of(images.channel_names, config.data)
    if config.camera.sensor is not None:
        scaling_log.warn_of_black(scaled)
    if sensor is not None:
        sensor.capture(divided.train.images[:1])  # checks its number of bands
    _check_augmentation(config, channels)
    # Built to check its initial weights and its image size.
    architecture = config.student, config.data.image_size, len(images.class_names), config.distillation.initial_weights
    student = students.build(*architecture, channels=len(channels))
    if student_registry.is_own(config.student):
        own_student.check(student, config.student, is_quantized_in_training=config.quantization.epochs > 0)
    names = config.teachers.names or pretrained.teacher_names(images.class_names)
    uses_teachers = fine_tunes_only or weighting.rule_type(config.distillation.weighting.rule).uses_teachers
    method_checks.check(config, student, len(names), lowers=run.lowers)
    methods.check(config, student, lowers=run.lowers)
    weighting.make_rule(config.distillation.weighting, len(names), config.distillation.temperature)

    def trained(name: str, training: DistillationConfig | TeachersConfig) -> AnyTeacher:
        return trained_teacher(name, config, training, images, rgb)

    inputs = Inputs(
        divided,
        {name: trained(name, config.distillation) if teachers.is_trained(name) else None for name in names},
        [trained(name, config.teachers) for name in config.teachers.taught_by],
        sensors.mixture(config.camera, sensor),
        sensor,
        None if scaling.is_plain(scaled) else scaled,
        rgb,
        unlabelled.of_run(config.data, divided, scaled) if uses_teachers else None,
    )
    if inputs.unlabelled is not None or config.data.unlabelled is not None:
        stored_teachers.check_can_label(list(inputs.teachers.values()) if uses_teachers else [])
    methods.check_fixmatch(config, inputs.unlabelled)
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
    untrained = [name for name, teacher in inputs.teachers.items() if teacher is None and uses_teachers]
    missing = [name for name in untrained if stages.teacher(name) not in run.results]
    if uses_teachers:
        _check_fine_tuning(config, missing, len(images.class_names))
        bands.check(channels, rgb, config.teachers.bands, missing)
    is_taught = uses_teachers and (bool(config.teachers.taught_by) or not fine_tunes_only)
    parallel_checks.check(config, run.parallel, len(inputs.split.train), student, missing, is_taught=is_taught)
    parallel_checks.check_same_data(run.meeting, inputs.split, inputs.teachers)
    begin(run, inputs.split, missing, inputs.scaling, inputs.unlabelled)
    if run.is_chief:
        run_sensor.keep(run, sensor)
    return inputs


def trained_teacher(
    name: str,
    config: Config,
    training: DistillationConfig | TeachersConfig,
    images: ImageSet,
    rgb: tuple[int, int, int] | None,
) -> AnyTeacher:
    """Load a trained teacher for the images of a run.

    Args:
        name: as in `TeachersConfig.names`.
        config: of the run.
        training: the training that it teaches.
        images: all images of the data set.
        rgb: their red, green and blue channels; None if they are not known.

    Raises:
        UserError: it cannot be loaded, or does not fit the images or the settings.
    """
    teacher = teachers.load(name, config.teachers.saved_model_input, trust=config.teachers.trust_models)
    method_checks.check_teacher(teacher, config.distillation)
    stored_teachers.check(teacher, images.files, config.distillation, training, config.camera)
    return bands.select(teachers.with_classes(teacher, images.class_names), images.channel_names, rgb)


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
    if summary := duplicates.find(divided.train, [divided.validation, divided.test]).summary():
        logger.warning("%s: --data.deduplicate removes them from training", summary)
    if contradicted := duplicates.of_two_classes([divided.train, divided.validation, divided.test]):
        logger.warning("%s", contradicted)


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
    has_teachers = weighting.rule_type(student.weighting.rule).uses_teachers
    trainings: list[tuple[Step[Any], TrainingConfig, str, bool]] = [
        (stages.teacher(name), config.teachers, config.teachers.augmentation, bool(config.teachers.taught_by))
        for name in missing
    ]
    steps: list[Step[Any]] = [*map(stages.earlier_round, range(1, student.rounds)), DISTILLATION]
    trainings += [(each, student, student.augmentation, has_teachers or at > 0) for at, each in enumerate(steps)]
    has_teachers |= student.rounds > 1
    if config.quantization.epochs:
        trainings.append((QUANTIZATION, config.quantization, student.augmentation, has_teachers))
    for step, training, augmentation, is_taught in trainings:
        if step in run.results:
            continue
        check_exportable(training, augmentation, is_in_loop=is_taught and is_in_loop)
        if not run.path(LOWERED, str(step.phase), TRAINED_FILE).exists():
            return


def begin(
    run: Run,
    divided: Split,
    missing: Sequence[str] = (),
    scaled: Scaling | None = None,
    others: ImageSet | None = None,
) -> None:
    """Claim the run's folder and record the split of the images in it.

    Args:
        run: the run.
        divided: its images.
        missing: names of the teachers that must be fine-tuned.
        scaled: how the images became 8-bit codes; None for ordinary pictures.
        others: images that the teachers label; None without any.

    Raises:
        UserError: finished steps of the run used other images or another scaling, or its next training cannot be
            written as a program.
    """
    if run.lowers:
        _check_exportable(run, missing)
    same_images.check(run, divided, scaled, others)

    def write_split() -> None:
        write_json(run.path(SPLIT_FILE), {"sha256": divided.sha256, **divided.file_list()})
        if scaled is not None:
            write_json(run.path(SCALING_FILE), scaled.to_dict())

    def record() -> DataResult:
        write_split()
        return DataResult(
            list(divided.train.class_names),
            len(divided.train),
            len(divided.validation),
            len(divided.test),
            divided.sha256,
            processor(),
            divided.pixels_sha256,
            None if others is None else pixel_digest.of(others.images),
        )

    run.claim()
    run.step(DATA, record)
    for file in (SPLIT_FILE, SCALING_FILE):
        kept = (run.results[DATA].sha256 or {}).get(file)
        if run.is_chief and kept is not None and (not run.path(file).exists() or digests.of(run.path(file)) != kept):
            logger.warning("%s is damaged or missing: it is written again", run.path(file))
            write_split()


def _check_augmentation(config: Config, channels: Sequence[str]) -> None:
    policies = {"distillation": config.distillation.augmentation, "teachers": config.teachers.augmentation}
    for group, policy in policies.items():
        if policy == "randaugment" and len(channels) != len(RGB):
            raise UserError(
                f"{group}.augmentation 'randaugment' is for RGB, the images have {len(channels)} bands: use 'satellite'"
            )
