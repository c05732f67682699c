"""Distillation: training of the student on labels and teacher logits."""

from functools import partial
from pathlib import Path

import tf_keras

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.common.files import write_with
from firmware_export.tflite.convert import load_keras
from keras_satkd.config import Config
from keras_satkd.data.remote import Mirror
from keras_satkd.data.splits import Split
from keras_satkd.evaluation.metrics import predict, score
from keras_satkd.models import provenance, students, teachers, width
from keras_satkd.models.student_registry import file_of
from keras_satkd.pipeline import methods, pseudo_labels, rounds
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.pipeline.teach import teach
from keras_satkd.run.artifacts import STUDENT_FILE
from keras_satkd.run.folder import CHECKPOINTS, Run
from keras_satkd.run.results import DistillationResult, RoundResult
from keras_satkd.run.results_file import read_json
from keras_satkd.run.stages import DISTILLATION, earlier_round
from keras_satkd.training.fit import precision
from keras_satkd.training.method import Method
from keras_satkd.training.place import Place
from keras_satkd.training.teacher_logits import TeacherTargets, compute_teacher_logits
from keras_satkd.training.train import train
from keras_satkd.weighting import rule_type

_PHASE = "distillation"

TEACHERS_FILE = "teachers.json"
"""In the folder of the checkpoints: the SHA-256 of each teacher by name. It covers the order of its classes."""


def taught(run: Run, inputs: Inputs) -> tuple[Inputs, TeacherTargets]:
    """The inputs with pseudo-labels, and the logits of the run's teachers. Untrained teachers are fine-tuned first."""
    config = run.config
    store = logits_folder(config)
    uses_teachers = rule_type(config.distillation.weighting.rule).uses_teachers
    if store is not None and uses_teachers:
        store.pull()
    found = teach(run, inputs) if uses_teachers else []
    inputs = pseudo_labels.added(run, inputs, found)
    return inputs, compute_teacher_logits(
        found,
        inputs.split,
        config.distillation,
        config.distillation.augmentation,
        config.data,
        inputs.camera,
        config.camera.teachers_see,
        config.distillation.mixing,
        store=None if store is None else store.folder,
        accepts_weak=config.teachers.accept_weak,
    )


def logits_folder(config: Config) -> Mirror | None:
    """The folder of `distillation.logits_store`, which may be a copy of one in object storage; None without a store."""
    given = config.distillation.logits_store
    if given is None:
        return None
    return Mirror.of(given, config.data.cache_dir) or Mirror(Path(given).expanduser())


def distil_student(run: Run, split: Split, targets: TeacherTargets) -> tf_keras.Model:
    """The run's float student, of the last round; it is trained if it is not yet, and so are those of earlier rounds.

    Raises:
        UserError: its training has begun under teachers that have changed since, such as in the order of their classes.
    """
    _check_teachers(run, targets)
    for number in range(1, run.config.distillation.rounds):
        run.step(earlier_round(number), partial(_distil_earlier, run, split, targets, number))
    run.step(DISTILLATION, lambda: _distil(run, split, targets))
    return load_keras(run.path(STUDENT_FILE))


def _check_teachers(run: Run, targets: TeacherTargets) -> None:
    """Compare the teachers with those of the first epoch, and keep their digests before it."""
    path, now = run.path(CHECKPOINTS, _PHASE, TEACHERS_FILE), teachers.digests(targets.teachers)
    is_trained = DISTILLATION in run.results
    before = run.results[DISTILLATION].teachers if is_trained else read_json(path)
    if before is None and now and not is_trained and run.is_chief:
        path.parent.mkdir(parents=True, exist_ok=True)
        digests.write_json(path, now)
    before = before or {}
    changed = [name for name, digest in now.items() if before.get(name, digest) != digest]
    if changed:
        raise UserError(
            f"{run.workdir} was trained under teachers that have changed since: remove this folder, or restore "
            f"{changed[0]} with its settings"
        )


def _distil_earlier(run: Run, split: Split, targets: TeacherTargets, number: int) -> RoundResult:
    step = earlier_round(number)
    assert step.phase is not None
    student = _trained(run, split, targets, number, step.phase, step.files[0])
    logits = predict(students.logits_of(student), split.validation.images, step.name)
    return RoundResult(step.files[0], score(logits, split.validation.labels))


def _distil(run: Run, split: Split, targets: TeacherTargets) -> DistillationResult:
    config = run.config.distillation
    # Recorded before the training, because the file may be replaced during it.
    began_from = config.initial_weights or (run.config.student if file_of(run.config.student) else None)
    initial_weights = None if began_from is None else provenance.describe(began_from)
    finished = _trained(run, split, targets, config.rounds, _PHASE, STUDENT_FILE)
    return DistillationResult(
        STUDENT_FILE,
        students.trainable_parameters(finished),
        students.macs(finished),
        teachers.digests(targets.teachers),
        dict(zip((teacher.name for teacher in targets.teachers), targets.calibration, strict=True)),
        initial_weights,
        pseudo_labels.counts(split.train)
        if targets.teachers and pseudo_labels.are_asked_for(run.config.data)
        else None,
    )


def _trained(run: Run, split: Split, targets: TeacherTargets, number: int, phase: str, file: str) -> tf_keras.Model:
    """Train the student of a round and write it into a file of the run."""
    settings, taught_by = rounds.taught(run, split, targets, number)
    # Another seed for each round: a student with the first weights of its teacher would repeat it.
    seed = run.config.seed + number - 1
    tf_keras.utils.set_random_seed(seed)
    architecture = (run.config.student, run.config.data.image_size, len(split.train.class_names))
    channels = split.train.images.shape[-1]
    initial_weights = settings.initial_weights if number == 1 else None

    def build() -> tuple[tf_keras.Model, Method]:
        with precision(settings.mixed_precision):
            return methods.of_student(
                settings, lambda: students.build(*architecture, initial_weights, channels=channels)
            )

    place = Place.of(run)
    student, _ = place.parallel.trained(
        build,
        lambda built: train(
            built[0],
            split,
            taught_by,
            settings,
            place,
            loss=settings,
            seed=seed,
            phase=phase,
            sensor_noise=settings.sensor_noise,
            class_weights=settings.class_weights,
            method=built[1],
        ),
        lambda built: built[0],
    )
    # The student is saved in float32: quantization starts from it, and tfmot does not support bfloat16.
    finished = students.build(*architecture, channels=channels)
    if settings.capacity.widest > 1:
        width.narrow(student, finished)
    else:
        finished.set_weights(student.get_weights())
    if run.is_chief:
        write_with(run.path(file), lambda path: finished.save(path))
    return finished
