"""What a training step looks at in student and teachers: logits, feature maps, and gradients of the input."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras

from firmware_export.common.errors import UserError
from keras_satkd.losses.ground_truth import ground_truth_loss
from keras_satkd.losses.loss import Needs
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.models.teacher import AnyTeacher, Teacher

FULL_RANGE = 255.0
"""Gradients are with respect to images in 0..1, whatever range the networks take."""

WITHOUT = "use a loss of logits (kl, zscore, dkd, dist)"


class StudentView(NamedTuple):
    """The student on a batch of B images, in training.

    Attributes:
        logits: float32 [B, C].
        map: float32 [B, h, w, k], its last feature map, if it is needed.
        gradient: float32 [B, H, W, N], gradient of the cross-entropy by the image in 0..1, if it is needed.
    """

    logits: tf.Tensor
    map: tf.Tensor | None = None
    gradient: tf.Tensor | None = None


class TeacherView(NamedTuple):
    """T teachers on a batch of B images; no gradient flows into them.

    Attributes:
        logits: float32 [B, T, C].
        maps: the last feature map of each, float32 [B, h_t, w_t, k_t], if they are needed.
        gradients: float32 [B, T, H, W, N], as in `StudentView`, if they are needed.
    """

    logits: tf.Tensor
    maps: tuple[tf.Tensor, ...] = ()
    gradients: tf.Tensor | None = None


StudentObserver = Callable[[tf.Tensor, tf.Tensor], StudentView]
"""Images in 0..255 and labels, float32 [B, C] → what the student shows, in training mode."""

TeacherObserver = Callable[[tf.Tensor, tf.Tensor], TeacherView]
"""Images in 0..255 and labels, float32 [B, C] → what the teachers show."""


def last_map(network: tf_keras.Model) -> Any:
    """The output of the last layer of a Keras model that gives a feature map of more than one position.

    Raises:
        ValueError: there is none.
    """
    for layer in reversed(network.layers[1:]):
        shape = layer.output_shape
        if isinstance(shape, tuple) and len(shape) == 4 and None not in shape[1:] and shape[1] * shape[2] > 1:
            return layer.output
    raise ValueError(f"{network.name} has no feature map: {WITHOUT}")


def check_kinds(teachers: Sequence[Any], classes: int) -> None:
    """Check that teachers can be run, and have the student's classes.

    Raises:
        ValueError: one is no `Teacher`, or has more or fewer classes.
    """
    for teacher in teachers:
        if not hasattr(teacher, "logits"):
            raise ValueError(
                f"teacher {getattr(teacher, 'name', teacher)!r} is a {type(teacher).__name__}: give "
                "keras_satkd.models.teachers.Teacher(name, network, input_size, input_range)"
            )
        if teacher.classes != classes:
            raise ValueError(
                f"teacher {teacher.name!r} has {teacher.classes} classes, the student {classes}: give a teacher of the "
                "student's classes"
            )


def check(teachers: Sequence[AnyTeacher | None], needs: Needs, loss: str) -> None:
    """Check that a loss finds what it needs in the teachers.

    Args:
        teachers: T of them; None for those that are fine-tuned first, which are Keras models.
        needs: of the loss.
        loss: its name, for the message.

    Raises:
        UserError: a teacher is logits in a file, or a model without the features or gradients that the loss needs.
    """
    if needs == "logits":
        return
    for teacher in teachers:
        if isinstance(teacher, StoredLogits):
            raise UserError(f"loss {loss!r} needs {needs}, and teacher {teacher.name} is given as logits: {WITHOUT}")
        if teacher is None:
            continue
        if not isinstance(teacher.network, tf_keras.Model) or not hasattr(teacher.network, "output_names"):
            raise UserError(
                f"loss {loss!r} needs {needs}, and teacher {teacher.name} is no model of tf_keras: fine-tune a teacher "
                f"with keras_satkd.teach, or {WITHOUT}"
            )
        if needs == "features":
            try:
                last_map(teacher.network)
            except ValueError as error:
                raise UserError(f"loss {loss!r}: teacher {teacher.name}: {error}") from None


def student_observer(
    student: tf_keras.Model, normalize: Callable[[tf.Tensor], tf.Tensor], needs: Needs
) -> StudentObserver | None:
    """A function that runs the student in training mode; None if its logits are enough.

    Raises:
        ValueError: features are needed, and the student has no feature map.
    """
    if needs == "logits":
        return None
    if needs == "gradients":

        def with_gradient(images: tf.Tensor, labels: tf.Tensor) -> StudentView:
            logits, gradient = _gradient(lambda given: student(normalize(given), training=True), images, labels)
            return StudentView(logits, gradient=gradient)

        return with_gradient
    both = tf_keras.Model(student.inputs, [student.output, last_map(student)])

    def with_map(images: tf.Tensor, labels: tf.Tensor) -> StudentView:
        logits, features = both(normalize(images), training=True)
        return StudentView(tf.cast(logits, tf.float32), tf.cast(features, tf.float32))

    return with_map


def teacher_observer(teachers: Sequence[Teacher], needs: Needs) -> TeacherObserver:
    """A function that runs the teachers in inference mode."""
    if needs == "logits":
        return lambda images, labels: TeacherView(tf.stack([teacher.logits(images) for teacher in teachers], axis=1))
    if needs == "gradients":

        def with_gradients(images: tf.Tensor, labels: tf.Tensor) -> TeacherView:
            found = [_gradient(teacher.differentiable_logits, images, labels) for teacher in teachers]
            logits, gradients = (tf.stop_gradient(tf.stack(each, axis=1)) for each in zip(*found, strict=True))
            return TeacherView(logits, gradients=gradients)

        return with_gradients
    networks = [
        tf_keras.Model(teacher.network.inputs, [teacher.network.output, last_map(teacher.network)])
        for teacher in teachers
    ]

    def with_maps(images: tf.Tensor, labels: tf.Tensor) -> TeacherView:
        logits, maps = [], []
        for teacher, network in zip(teachers, networks, strict=True):
            outputs, features = network(teacher.normalize(images), training=False)
            logits.append(tf.stop_gradient(teacher.as_logits(outputs)))
            maps.append(tf.stop_gradient(tf.cast(features, tf.float32)))
        return TeacherView(tf.stack(logits, axis=1), tuple(maps))

    return with_maps


def _gradient(
    logits_of: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, labels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Logits, and the gradient of each image's cross-entropy with its label by the image in 0..1."""
    images = tf.cast(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = tf.cast(logits_of(images), tf.float32)
        losses = ground_truth_loss(labels, logits)
    return logits, FULL_RANGE * tf.convert_to_tensor(tape.gradient(losses, images))
