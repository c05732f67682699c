"""Fine-tuning of a run's teachers on labels and, with `teachers.taught_by`, on the logits of other teachers."""

import tensorflow as tf
import tf_keras

from keras_satkd.data.splits import Split
from keras_satkd.evaluation.calibration import fit_temperature
from keras_satkd.evaluation.metrics import predict, score
from keras_satkd.models import bands, provenance, teachers
from keras_satkd.models.teacher import AnyTeacher, Teacher
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run import stages
from keras_satkd.run.artifacts import TEACHERS_FOLDER
from keras_satkd.run.folder import Run
from keras_satkd.run.results import TeacherResult
from keras_satkd.training import unlabelled_batches
from keras_satkd.training.fit import precision
from keras_satkd.training.method import PLAIN
from keras_satkd.training.place import Place
from keras_satkd.training.teacher_logits import compute_teacher_logits
from keras_satkd.training.train import train


def teach(run: Run, inputs: Inputs) -> list[AnyTeacher]:
    """The run's teachers, all frozen. Trained teachers are used unchanged; the others are fine-tuned once."""
    return [teacher or _teacher(run, inputs, name) for name, teacher in inputs.teachers.items()]


def _teacher(run: Run, inputs: Inputs, specification: str) -> AnyTeacher:
    run.step(stages.teacher(specification), lambda: _fine_tune(run, inputs, specification))
    teacher = teachers.load(str(run.path(TEACHERS_FOLDER, specification)))
    return bands.select(teacher, inputs.split.train.channel_names, inputs.rgb)


def _fine_tune(run: Run, inputs: Inputs, specification: str) -> TeacherResult:
    config, split, phase = run.config.teachers, inputs.split, stages.teacher(specification).phase
    assert phase is not None
    targets = compute_teacher_logits(
        inputs.teachers_of_teachers,
        split,
        run.config.distillation,
        config.augmentation,
        run.config.data,
        inputs.camera,
        run.config.camera.teachers_see,
        config.mixing,
        accepts_weak=config.accept_weak,
    )
    method = PLAIN
    if config.fixmatch.weight:
        assert inputs.unlabelled is not None
        method = unlabelled_batches.method(split.train, inputs.unlabelled, config, run.config.seed, inputs.camera)
    tf_keras.utils.set_random_seed(run.config.seed)

    def build() -> Teacher:
        with precision(config.mixed_precision):
            built = teachers.build(specification, len(split.train.class_names), config.initial_weights)
            return bands.for_fine_tuning(built, specification, split.train.channel_names, inputs.rgb, config.bands)

    # Recorded before the training, because the file may be replaced during it.
    is_continued = teachers.is_trained(config.initial_weights)
    initial_weights = provenance.describe(config.initial_weights) if is_continued else None
    place = Place.of(run)
    teacher = place.parallel.trained(
        build,
        lambda teacher: train(
            teacher.network,
            split,
            targets,
            config,
            place,
            loss=run.config.distillation,
            seed=run.config.seed,
            phase=phase,
            normalize=teacher.normalize,
            class_weights=config.class_weights,
            method=method,
        ),
        lambda teacher: teacher.network,
    )
    scores = validation_scores(teacher, split)
    if run.is_chief:
        folder = run.path(TEACHERS_FOLDER, specification)
        teachers.save(teacher, split.train.class_names, {"validation": scores}, folder)
    return TeacherResult(scores, initial_weights)


def validation_scores(teacher: Teacher, split: Split) -> dict[str, float]:
    """Scores on the validation images, and the calibration temperature fitted on them."""
    logits = predict(tf.function(teacher.logits), split.validation.images, f"validate {teacher.name}")
    return {**score(logits, split.validation.labels), "temperature": fit_temperature(logits, split.validation.labels)}
