"""Fine-tuning: a run's teachers learn its classes."""

import tensorflow as tf
import tf_keras

from keras_satkd import teachers
from keras_satkd.batches import evaluation_batches, training_batches
from keras_satkd.calibration import fit_temperature
from keras_satkd.data import Split
from keras_satkd.distiller import Distiller
from keras_satkd.run import Run
from keras_satkd.scores import predict, score
from keras_satkd.teachers import Teacher
from keras_satkd.training import fit, precision


def teach(run: Run, split: Split, trained: dict[str, Teacher]) -> list[Teacher]:
    """The run's teachers, those in `trained` as they are, the others fine-tuned once; all frozen."""
    return [trained.get(name) or _teacher(run, split, name) for name in run.config.teachers.names]


def _teacher(run: Run, split: Split, specification: str) -> Teacher:
    folder = run.path("teachers", specification)
    run.step(f"teacher {specification}", lambda: _fine_tune(run, split, specification))
    return teachers.load(str(folder))


def _fine_tune(run: Run, split: Split, specification: str) -> dict:
    config = run.config.teachers
    tf_keras.utils.set_random_seed(run.config.seed)
    with precision(config.mixed_precision):
        teacher = teachers.build(specification, len(split.train.class_names), config.initial_weights)
    learner = Distiller(teacher.network, normalize=teacher.normalize)
    fit(
        learner,
        training_batches(
            split.train, batch_size=config.batch_size, augmentation=config.augmentation, seed=run.config.seed
        ),
        evaluation_batches(split.validation, config.batch_size),
        config,
        phase=f"teacher-{specification}",
        workdir=run.workdir,
    )
    scores = {"validation": validation_scores(teacher, split)}
    teachers.save(teacher, scores, run.path("teachers", specification))
    return scores


def validation_scores(teacher: Teacher, split: Split) -> dict[str, float]:
    """Scores on the validation images, and the temperature that calibrates the teacher there."""
    logits = predict(tf.function(teacher.logits), split.validation.images, f"validate {teacher.name}")
    return {**score(logits, split.validation.labels), "temperature": fit_temperature(logits, split.validation.labels)}
