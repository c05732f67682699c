"""The first step of every run: all that can be wrong with its inputs is found here, before the run has a folder."""

from dataclasses import dataclass

from firmware_export.common.errors import UserError
from firmware_export.common.files import write_json
from keras_satkd import weighting
from keras_satkd.data.sources import load
from keras_satkd.data.splits import Split, split
from keras_satkd.models import pretrained, students, teachers
from keras_satkd.models.teachers import Teacher
from keras_satkd.run.folder import Run
from keras_satkd.run.hardware import processor
from keras_satkd.training.fit import check_precision


@dataclass(frozen=True)
class Inputs:
    """What a run begins with.

    Attributes:
        split: the images.
        teachers: by the name that the run gives them; None for those that are yet to be fine-tuned.
        tutors: the teachers of those.
    """

    split: Split
    teachers: dict[str, Teacher | None]
    tutors: list[Teacher]


def prepare(run: Run, least_images: int = 0) -> Inputs:
    """Load and divide the images, and read the teachers that are on disk already.

    Args:
        run: its configuration says which; its folder is made once all is found right.
        least_images: how many the training and validation images must be together for what the run ends with.

    Raises:
        UserError: anything in the configuration that does not exist or does not fit.
    """
    config = run.config
    students.check_name(config.student)
    teachers.check_names(config.teachers.names)
    teachers.check_initial_weights(config.teachers.initial_weights)
    teachers.check_trained(config.teachers.taught_by)
    for mixed in (config.teachers.mixed_precision, config.distillation.mixed_precision):
        check_precision(mixed)
    images = load(config.data)
    # Built for the sake of what may be wrong with it.
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
    )
    found = len(inputs.split.train) + len(inputs.split.validation)
    if found < least_images:
        raise UserError(
            f"{config.data.source} gives {found} training and validation images, and the export is verified on "
            f"{least_images}: bring more, or use keras_satkd.quantize, which exports nothing"
        )
    begin(run, inputs.split)
    return inputs


def begin(run: Run, divided: Split) -> None:
    """Make the folder the run's and note there which images it learns from."""

    def record() -> dict:
        write_json(run.path("split.json"), {"sha256": divided.sha256, **divided.file_list()})
        return {
            "classes": list(divided.train.class_names),
            "train": len(divided.train),
            "validation": len(divided.validation),
            "test": len(divided.test),
            "split_sha256": divided.sha256,
            "hardware": processor(),
        }

    run.claim()
    run.step("data", record)
