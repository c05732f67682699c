"""The first step of every run: everything that can be wrong with its inputs is found before the run has a folder."""

from collections.abc import Sequence
from dataclasses import dataclass

from firmware_export.common.c_text import check_symbol
from firmware_export.common.errors import UserError
from firmware_export.common.files import write_json
from keras_satkd import weighting
from keras_satkd.camera import sensor
from keras_satkd.camera.training import Mixture
from keras_satkd.config import Config
from keras_satkd.data.sources import load
from keras_satkd.data.splits import Split, split
from keras_satkd.models import pretrained, students, teacher_zoo, teachers
from keras_satkd.models.teachers import Teacher
from keras_satkd.run import stages
from keras_satkd.run.folder import Run
from keras_satkd.run.hardware import processor
from keras_satkd.run.results import DataResult
from keras_satkd.run.stages import DATA
from keras_satkd.training.fit import check_precision


@dataclass(frozen=True)
class Inputs:
    """What a run starts from.

    Attributes:
        split: the images.
        teachers: by the name that the run gives them; None for those that are yet to be fine-tuned.
        teachers_of_teachers: trained teachers under whose loss the others are fine-tuned.
        camera: disturbs training and validation images.
    """

    split: Split
    teachers: dict[str, Teacher | None]
    teachers_of_teachers: list[Teacher]
    camera: Mixture | None = None


def prepare(run: Run, least_images: int = 0, *, fine_tunes_only: bool = False) -> Inputs:
    """Load and divide the images, and read the teachers that are on disk already.

    Args:
        run: its configuration says which; its folder is claimed once everything is checked.
        least_images: how many training and validation images the run's last step needs together.
        fine_tunes_only: the run fine-tunes its teachers and no more, whether or not a student will use them.

    Raises:
        UserError: anything in the configuration that does not exist or does not fit.
    """
    config = run.config
    check_symbol(config.firmware.symbol)
    students.check_name(config.student)
    teachers.check_names(config.teachers.names)
    teachers.check_initial_weights(config.teachers.initial_weights)
    teachers.check_trained(config.teachers.taught_by)
    for mixed in (config.teachers.mixed_precision, config.distillation.mixed_precision):
        check_precision(mixed)
    camera = sensor.mixture(config.camera)
    images = load(config.data)
    # Built to check its initial weights and its image size.
    students.build(config.student, config.data.image_size, len(images.class_names), config.distillation.initial_weights)
    names = config.teachers.names or pretrained.teacher_names(images.class_names)
    weighting.make_rule(config.distillation.weighting, len(names), config.distillation.temperature)

    def trained(name: str) -> Teacher:
        teacher = teachers.load(name, config.teachers.saved_model_input)
        teachers.check_classes(teacher, images.class_names)
        return teacher

    inputs = Inputs(
        split(images, config.data),
        {name: trained(name) if teachers.is_trained(name) else None for name in names},
        [trained(name) for name in config.teachers.taught_by],
        camera,
    )
    found = len(inputs.split.train) + len(inputs.split.validation)
    if found < least_images:
        raise UserError(
            f"{config.data.source} gives {found} training and validation images, and the export is verified on "
            f"{least_images}: bring more, or use keras_satkd.quantize, which exports nothing"
        )
    if fine_tunes_only or weighting.RULES[config.distillation.weighting.rule].uses_teachers:
        untrained = [name for name, teacher in inputs.teachers.items() if teacher is None]
        missing = [name for name in untrained if stages.teacher(name) not in run.results]
        _check_fine_tuning(config, missing, len(images.class_names))
    begin(run, inputs.split)
    return inputs


def _check_fine_tuning(config: Config, names: Sequence[str], classes: int) -> None:
    """Refuse a fine-tuning that cannot start: weights that cannot be had, a loss that does not fit its teachers."""
    if names and config.teachers.taught_by:
        distillation = config.distillation
        weighting.make_rule(distillation.weighting, len(config.teachers.taught_by), distillation.temperature)
    if config.teachers.initial_weights not in teacher_zoo.OPTIONAL_WEIGHTS:
        for name in names:
            teachers.build(name, classes, config.teachers.initial_weights)


def begin(run: Run, divided: Split) -> None:
    """Claim the run's folder and note there which images it learns from."""

    def record() -> DataResult:
        write_json(run.path("split.json"), {"sha256": divided.sha256, **divided.file_list()})
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
