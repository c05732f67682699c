"""The first step of every run: all inputs are checked before the run creates its folder."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_export.common import digests
from firmware_export.common.command_line import check_values
from firmware_export.common.errors import UserError
from firmware_export.common.files import write_json
from firmware_export.images.image_set import RGB
from firmware_export.images.scaling import Scaling
from firmware_export.images.scaling import load as load_scaling
from keras_satkd import config_io, weighting
from keras_satkd.camera import sensor as sensors
from keras_satkd.camera.sensor import Sensor
from keras_satkd.camera.training import Mixture
from keras_satkd.config import Config, TrainingConfig
from keras_satkd.data import reading, scaling
from keras_satkd.data.sources import load
from keras_satkd.data.splits import Split
from keras_satkd.models import bands, pretrained, students, teacher_zoo, teachers
from keras_satkd.models.teachers import Teacher
from keras_satkd.run import stages
from keras_satkd.run.artifacts import SCALING_FILE, SENSOR_FILE, SPLIT_FILE
from keras_satkd.run.folder import LOWERED, Run, describe_changes
from keras_satkd.run.hardware import processor
from keras_satkd.run.results import DataResult
from keras_satkd.run.stages import DATA, DISTILLATION, QUANTIZATION, Stage, Step
from keras_satkd.training.fit import check_precision
from keras_satkd.training.offload import check_exportable
from keras_satkd.training.run_offloaded import TRAINED_FILE

logger = logging.getLogger(__name__)


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
    """

    split: Split
    teachers: dict[str, Teacher | None]
    teachers_of_teachers: list[Teacher]
    camera: Mixture | None = None
    sensor: Sensor | None = None
    scaling: Scaling | None = None
    rgb: tuple[int, int, int] | None = (0, 1, 2)


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
    divided, scaled = scaling.split_scaled(images, config.data)
    channels = images.channel_names
    rgb = reading.rgb_of(channels, config.data)
    if sensor is not None:
        sensor.capture(divided.train.images[:1])  # checks its number of bands
    _check_augmentation(config, channels)
    # Built to check its initial weights and its image size.
    architecture = config.student, config.data.image_size, len(images.class_names), config.distillation.initial_weights
    students.build(*architecture, channels=len(channels))
    names = config.teachers.names or pretrained.teacher_names(images.class_names)
    weighting.make_rule(config.distillation.weighting, len(names), config.distillation.temperature)

    def trained(name: str) -> Teacher:
        teacher = teachers.load(name, config.teachers.saved_model_input, trust=config.teachers.trust_models)
        teachers.check_classes(teacher, images.class_names)
        return bands.select(teacher, channels, rgb)

    uses_teachers = fine_tunes_only or weighting.RULES[config.distillation.weighting.rule].uses_teachers
    inputs = Inputs(
        divided,
        {name: trained(name) if teachers.is_trained(name) else None for name in names},
        [trained(name) for name in config.teachers.taught_by],
        sensors.mixture(config.camera, sensor),
        sensor,
        None if scaling.is_plain(scaled) else scaled,
        rgb,
    )
    logger.info("%s: %s", config.data.source, inputs.split.summary())
    found = len(inputs.split.train) + len(inputs.split.validation)
    if found < least_images:
        raise UserError(
            f"{config.data.source} gives {found} training and validation images, but the export needs "
            f"{least_images}: add images, or use keras_satkd.quantize, which exports nothing"
        )
    missing: list[str] = []
    if uses_teachers:
        untrained = [name for name, teacher in inputs.teachers.items() if teacher is None]
        missing = [name for name in untrained if stages.teacher(name) not in run.results]
        _check_fine_tuning(config, missing, len(images.class_names))
        bands.check(channels, rgb, config.teachers.bands, missing)
    begin(run, inputs.split, missing, inputs.scaling)
    _keep(run, sensor)
    return inputs


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


def begin(run: Run, divided: Split, missing: Sequence[str] = (), scaled: Scaling | None = None) -> None:
    """Claim the run's folder and record the split of the images in it.

    Args:
        run: the run.
        divided: its images.
        missing: names of the teachers that must be fine-tuned.
        scaled: how the images became 8-bit codes; None for ordinary pictures.

    Raises:
        UserError: finished steps of the run used other images or another scaling, or its next training cannot be
            written as a program.
    """
    if run.lowers:
        _check_exportable(run, missing)
    if DATA in run.results and run.results[DATA].split_sha256 != divided.sha256:
        raise UserError(
            f"--workdir {run.workdir} was made with other images than {run.config.data.source} has now: give the same "
            "images, or another folder"
        )

    _check_scaling(run, scaled)

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
        )

    run.claim()
    run.step(DATA, record)
    for file in (SPLIT_FILE, SCALING_FILE):
        kept = (run.results[DATA].sha256 or {}).get(file)
        if kept is not None and (not run.path(file).exists() or digests.of(run.path(file)) != kept):
            logger.warning("%s is damaged or missing: it is written again", run.path(file))
            write_split()


def _check_scaling(run: Run, scaled: Scaling | None) -> None:
    """Refuse another scaling than finished steps used: the files' samples have changed."""
    file = run.path(SCALING_FILE)
    digest = (run.results[DATA].sha256 or {}).get(SCALING_FILE) if DATA in run.results else None
    if digest is None or not file.exists() or digests.of(file) != digest:
        return
    before = load_scaling(file)
    if before != scaled:
        changed = "is not needed now" if scaled is None else f"is now {describe_changes(_changes(before, scaled))}"
        raise UserError(
            f"--workdir {run.workdir} was made with another scaling of samples to codes ({SCALING_FILE}), which "
            f"{changed}: give the same images, or another folder"
        )


def _changes(before: Scaling, now: Scaling) -> dict[str, tuple[object, object]]:
    old, new = before.to_dict(), now.to_dict()
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}


def _check_augmentation(config: Config, channels: Sequence[str]) -> None:
    policies = {"distillation": config.distillation.augmentation, "teachers": config.teachers.augmentation}
    for group, policy in policies.items():
        if policy == "randaugment" and len(channels) != len(RGB):
            raise UserError(
                f"{group}.augmentation 'randaugment' is for RGB, the images have {len(channels)} bands: use 'satellite'"
            )
