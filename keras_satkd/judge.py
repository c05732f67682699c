"""The test images, seen once, when nothing is left to choose."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from keras_satkd import students
from keras_satkd.classifier import int8_logits
from keras_satkd.data import Split
from keras_satkd.quantization import INT8_FILE, POST_TRAINING_FILE
from keras_satkd.run import Run
from keras_satkd.scores import predict, score
from keras_satkd.teachers import Teacher


def judge(
    run: Run, split: Split, student: tf_keras.Model, quantized: tf_keras.Model | None, teachers: Sequence[Teacher]
) -> dict:
    """Test scores of every model of the run, by name, and the confusion matrix of the int8 model."""
    images, labels = split.test.images, split.test.labels
    logits = {
        f"teacher {teacher.name}": predict(tf.function(teacher.logits), images, teacher.name) for teacher in teachers
    }
    logits["float"] = predict(_student_logits(student), images, "float student")
    logits["ptq"] = int8_logits(run.path(POST_TRAINING_FILE).read_bytes(), images)
    if quantized is not None:
        logits["qat"] = predict(_student_logits(quantized), images, "QAT student")
    logits["int8"] = int8_logits(run.path(INT8_FILE).read_bytes(), images)
    predicted = logits["int8"].argmax(axis=1)
    confusion = np.zeros((len(split.test.class_names),) * 2, int)
    np.add.at(confusion, (labels, predicted), 1)
    return {**{name: score(values, labels) for name, values in logits.items()}, "confusion": confusion.tolist()}


def _student_logits(student: tf_keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    return tf.function(lambda images: student(students.normalize(images), training=False), reduce_retracing=True)
