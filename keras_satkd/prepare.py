"""The first step of every run: all that can be wrong with its inputs is found here, before the run has a folder."""

from firmware_export.files import write_json
from keras_satkd import students, teachers, weighting
from keras_satkd.data import Split, load, split
from keras_satkd.run import Run
from keras_satkd.teachers import Teacher


def prepare(run: Run) -> tuple[Split, dict[str, Teacher]]:
    """Load and divide the images, and read the teachers that are on disk already.

    Returns:
        The split, and the trained teachers by the name that the configuration gives them.

    Raises:
        UserError: anything in the configuration that does not exist or does not fit.
    """
    config = run.config
    students.check_name(config.student)
    teachers.check_names(config.teachers.names)
    weighting.make_rule(config.distillation.weighting, len(config.teachers.names), config.distillation.temperature)
    images = load(config.data)
    divided = split(images, config.data)
    trained = {}
    for name in filter(teachers.is_trained, config.teachers.names):
        trained[name] = teachers.load(name, config.teachers.saved_model_input)
        teachers.check_classes(trained[name], len(images.class_names))
    run.claim()
    run.step("data", lambda: _record(run, divided))
    return divided, trained


def _record(run: Run, divided: Split) -> dict:
    write_json(run.path("split.json"), {"sha256": divided.sha256, **divided.file_list()})
    return {
        "classes": list(divided.train.class_names),
        "train": len(divided.train),
        "validation": len(divided.validation),
        "test": len(divided.test),
        "split_sha256": divided.sha256,
    }
