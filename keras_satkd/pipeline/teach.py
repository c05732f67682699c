"""Fine-tuning: a run's teachers learn its classes, from the labels and, if there are, from teachers of their own."""

import tensorflow as tf
import tf_keras

from keras_satkd.data.splits import Split
from keras_satkd.evaluation.calibration import fit_temperature
from keras_satkd.evaluation.metrics import predict, score
from keras_satkd.models import teachers
from keras_satkd.models.provenance import began_from
from keras_satkd.models.teachers import Teacher
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run.folder import Run
from keras_satkd.training.fit import precision
from keras_satkd.training.teacher_logits import gather
from keras_satkd.training.train import train


def teach(run: Run, inputs: Inputs) -> list[Teacher]:
    """The run's teachers, those that are trained as they are, the others fine-tuned once; all frozen."""
    return [teacher or _teacher(run, inputs, name) for name, teacher in inputs.teachers.items()]


def _teacher(run: Run, inputs: Inputs, specification: str) -> Teacher:
    run.step(f"teacher {specification}", lambda: _fine_tune(run, inputs.split, inputs.tutors, specification))
    return teachers.load(str(run.path("teachers", specification)))


def _fine_tune(run: Run, split: Split, tutors: list[Teacher], specification: str) -> dict:
    config = run.config.teachers
    knowledge = gather(run, split, tutors, config.augmentation)
    tf_keras.utils.set_random_seed(run.config.seed)
    with precision(config.mixed_precision):
        teacher = teachers.build(specification, len(split.train.class_names), config.initial_weights)
    beginning = config.initial_weights
    origin = {"began_from": began_from(beginning)} if teachers.is_trained(beginning) else {}
    phase = f"teacher-{specification}"
    train(run, split, teacher.network, knowledge, config, phase, normalize=teacher.normalize)
    scores = {"validation": validation_scores(teacher, split)}
    teachers.save(teacher, split.train.class_names, scores, run.path("teachers", specification))
    return scores | origin


def validation_scores(teacher: Teacher, split: Split) -> dict[str, float]:
    """Scores on the validation images, and the temperature that calibrates the teacher there."""
    logits = predict(tf.function(teacher.logits), split.validation.images, f"validate {teacher.name}")
    return {**score(logits, split.validation.labels), "temperature": fit_temperature(logits, split.validation.labels)}
