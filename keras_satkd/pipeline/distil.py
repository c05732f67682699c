"""Distillation: training of the student on labels and teacher logits."""

from pathlib import Path

import tf_keras

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.common.files import write_with
from firmware_export.tflite.convert import load_keras
from keras_satkd.config import Config
from keras_satkd.data.remote import Mirror
from keras_satkd.data.splits import Split
from keras_satkd.models import provenance, students, teachers
from keras_satkd.models.student_registry import file_of
from keras_satkd.pipeline import pseudo_labels
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.pipeline.teach import teach
from keras_satkd.run.artifacts import STUDENT_FILE
from keras_satkd.run.folder import CHECKPOINTS, Run
from keras_satkd.run.results import DistillationResult
from keras_satkd.run.results_file import read_json
from keras_satkd.run.stages import DISTILLATION
from keras_satkd.training.fit import precision
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
    """The run's float student; it is trained if it is not yet.

    Raises:
        UserError: its training has begun under teachers that have changed since, such as in the order of their classes.
    """
    _check_teachers(run, targets)
    run.step(DISTILLATION, lambda: _distil(run, split, targets))
    return load_keras(run.path(STUDENT_FILE))


def _check_teachers(run: Run, targets: TeacherTargets) -> None:
    """Compare the teachers with those of the first epoch, and keep their digests before it."""
    path, now = run.path(CHECKPOINTS, _PHASE, TEACHERS_FILE), teachers.digests(targets.teachers)
    is_trained = DISTILLATION in run.results
    before = run.results[DISTILLATION].teachers if is_trained else read_json(path)
    if before is None and now and not is_trained:
        path.parent.mkdir(parents=True, exist_ok=True)
        digests.write_json(path, now)
    before = before or {}
    changed = [name for name, digest in now.items() if before.get(name, digest) != digest]
    if changed:
        raise UserError(
            f"{run.workdir} was trained under teachers that have changed since: remove this folder, or restore "
            f"{changed[0]} with its settings"
        )


def _distil(run: Run, split: Split, targets: TeacherTargets) -> DistillationResult:
    config = run.config.distillation
    tf_keras.utils.set_random_seed(run.config.seed)
    architecture = (run.config.student, run.config.data.image_size, len(split.train.class_names))
    channels = split.train.images.shape[-1]
    with precision(config.mixed_precision):
        student = students.build(*architecture, config.initial_weights, channels=channels)
    # Recorded before the training, because the file may be replaced during it.
    began_from = config.initial_weights or (run.config.student if file_of(run.config.student) else None)
    initial_weights = None if began_from is None else provenance.describe(began_from)
    train(
        student,
        split,
        targets,
        config,
        loss=config,
        seed=run.config.seed,
        phase=_PHASE,
        workdir=run.workdir,
        lowers=run.lowers,
        sensor_noise=config.sensor_noise,
        class_weights=config.class_weights,
    )
    # The student is saved in float32: quantization starts from it, and tfmot does not support bfloat16.
    finished = students.build(*architecture, channels=channels)
    finished.set_weights(student.get_weights())
    write_with(run.path(STUDENT_FILE), lambda path: finished.save(path))
    return DistillationResult(
        STUDENT_FILE,
        students.trainable_parameters(finished),
        students.macs(finished),
        teachers.digests(targets.teachers),
        dict(zip((teacher.name for teacher in targets.teachers), targets.calibration, strict=True)),
        initial_weights,
        None if run.config.data.unlabelled is None else pseudo_labels.counts(split.train),
    )
