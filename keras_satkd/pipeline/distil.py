"""Distillation: the student learns from the labels and the teachers' logits."""

import tf_keras

from firmware_export.common.files import write_with
from keras_satkd.data.splits import Split
from keras_satkd.models import students, teachers
from keras_satkd.models.provenance import began_from
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.pipeline.teach import teach
from keras_satkd.run.artifacts import STUDENT_FILE
from keras_satkd.run.folder import Run
from keras_satkd.training.fit import precision
from keras_satkd.training.teacher_logits import Knowledge, gather
from keras_satkd.training.train import train


def ask_teachers(run: Run, inputs: Inputs) -> Knowledge:
    """What the run's teachers, trained first where they are not, say of its images."""
    asked = run.config.distillation.weighting.rule != "none"
    return gather(run, inputs.split, teach(run, inputs) if asked else [], run.config.distillation.augmentation)


def distil_student(run: Run, split: Split, knowledge: Knowledge) -> tf_keras.Model:
    """The run's student in float, trained if it is not yet."""
    run.step("distillation", lambda: _distil(run, split, knowledge))
    return tf_keras.models.load_model(run.path(STUDENT_FILE), compile=False)


def _distil(run: Run, split: Split, knowledge: Knowledge) -> dict:
    config = run.config
    tf_keras.utils.set_random_seed(config.seed)
    architecture = (config.student, config.data.image_size, len(split.train.class_names))
    with precision(config.distillation.mixed_precision):
        student = students.build(*architecture, config.distillation.initial_weights)
    # Noted before the hours of training, in which somebody may replace the file.
    beginning = config.distillation.initial_weights
    origin = {"began_from": began_from(beginning)} if beginning is not None else {}
    noise = config.distillation.sensor_noise
    train(run, split, student, knowledge, config.distillation, "distillation", sensor_noise=noise)
    # In float32 from here on: quantization starts from these weights, and tfmot knows no bfloat16.
    finished = students.build(*architecture)
    finished.set_weights(student.get_weights())
    write_with(run.path(STUDENT_FILE), lambda path: finished.save(path))
    return {
        "file": STUDENT_FILE,
        "parameters": students.trainable_parameters(finished),
        "macs": students.macs(finished),
        "teachers": teachers.digests(knowledge.teachers),
        "calibration": dict(zip((teacher.name for teacher in knowledge.teachers), knowledge.calibration, strict=True)),
        **origin,
    }
