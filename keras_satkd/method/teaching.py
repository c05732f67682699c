"""The teachers' part of a training step: what is seen of student and teachers, their distance, and the weights."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from keras_satkd.config import LossConfig, WeightingConfig
from keras_satkd.losses.loss import Loss, Seen, as_loss
from keras_satkd.method import observers
from keras_satkd.method.observers import StudentView, TeacherView
from keras_satkd.models.teacher import Teacher
from keras_satkd.teacher_schedules import heard
from keras_satkd.weighting import PAPER_CASES, Maker, RuleType, Weights, make_rule, rule_type


class CountEpochs(tf_keras.callbacks.Callback):  # type: ignore[misc]  # TensorFlow has no types
    """Tells the batches and the schedule of teachers which epoch it is, by the model's variable `epoch`.

    It stands before the callback that writes checkpoints, which hold the number of the next epoch.
    """

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras; a second call of `fit` counts anew."""
        self.model.epoch.assign(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras. The next epoch's batches are made before it begins."""
        self.model.epoch.assign(epoch + 1)


def own_object(name: str, custom_objects: dict[str, Any] | None) -> Any:
    """An extension of a user, for a distiller that is loaded: a file must not choose what is imported.

    Raises:
        ValueError: `custom_objects`, and those of the scope of `tf_keras`, do not have it.
    """
    found = tf_keras.saving.get_registered_object(name, custom_objects)
    if found is None:
        raise ValueError(f"{name!r} is not of this package: load the model with custom_objects={{{name!r}: ...}}")
    return found


class Teaching:
    """Loss, weighting rule and schedule of the teachers of one student. The arguments are those of `Distiller`.

    It is no Keras layer: Keras would track, train and save the networks of its teachers.

    Attributes:
        critics: layers that the loss trains with the student.
        student_view: runs the student for a loss that needs more than its logits; None otherwise.
        rule: the type of the weighting rule.

    Raises:
        UserError: see `Distiller`.
        ValueError: the student has no feature map, and the loss needs it.
    """

    def __init__(
        self,
        student: tf_keras.Model,
        teachers: Sequence[Teacher],
        names: Sequence[str],
        *,
        normalize: Callable[[tf.Tensor], tf.Tensor],
        temperature: float,
        loss: str | LossConfig | Loss | Callable[[Seen], tf.Tensor],
        weighting: WeightingConfig,
        rule: RuleType | Maker | None,
        calibration: Sequence[float],
        teacher_factors: Any,
    ) -> None:
        self._loss, self._factors = as_loss(loss)
        self._temperature = temperature
        self.rule = rule_type(rule or weighting.rule)
        self._weigh = make_rule(weighting, len(names), temperature, calibration, self.rule) if names else None
        self._heard = None if teacher_factors is None else tf.constant(teacher_factors, tf.float32)
        needs = self._loss.needs
        name = loss if isinstance(loss, str) else loss.name if isinstance(loss, LossConfig) else "given"
        observers.check(teachers, needs, name)
        self._run_teachers = observers.teacher_observer(teachers, needs) if teachers else None
        self.student_view = observers.student_observer(student, normalize, needs) if names else None
        self.critics = self._make_critics(student, teachers)

    def _make_critics(self, student: tf_keras.Model, teachers: Sequence[Teacher]) -> list[tf_keras.layers.Layer]:
        make = self._loss.critic
        if make is None or not teachers:
            return []
        channels = [int(observers.last_map(each).shape[-1]) for each in (student, *(t.network for t in teachers))]
        return [make(channels[0], of_teacher) for of_teacher in channels[1:]]

    @property
    def critic_weights(self) -> list[tf.Variable]:
        """The weights of all critics."""
        return [weights for critic in self.critics for weights in critic.weights]

    def stored_view(self, inputs: Any) -> TeacherView | None:
        """The teachers' logits in a batch's dictionary; None if there are none, or the loss needs more."""
        if self._loss.needs == "logits" and isinstance(inputs, dict) and "teacher_logits" in inputs:
            return TeacherView(tf.cast(inputs["teacher_logits"], tf.float32))
        return None

    def teacher_view(self, inputs: Any, labels: tf.Tensor) -> TeacherView | None:
        """What the teachers show of a batch: stored, or they run; None without teachers.

        Args:
            inputs: images in 0..255, or a batch's dictionary.
            labels: float32 [B, C].

        Raises:
            ValueError: the loss needs more than logits, and only the names of the teachers are given.
        """
        if self.student_view is not None and self._run_teachers is None:
            raise ValueError(f"the loss needs {self._loss.needs} of the teachers: give the teachers, not their names")
        stored = self.stored_view(inputs)
        if stored is not None or self._run_teachers is None:
            return stored
        images = inputs.get("teacher_image", inputs["image"]) if isinstance(inputs, dict) else inputs
        return self._run_teachers(images, labels)

    def judge(
        self, labels: tf.Tensor, student: StudentView, teachers: TeacherView | None, epoch: tf.Variable
    ) -> tuple[tf.Tensor, Weights] | None:
        """The student's distance from each teacher, float32 [B, T], and the weights; None without teachers."""
        if teachers is None or self._weigh is None:
            return None
        shown = (student.map, teachers.maps, student.gradient, teachers.gradients)
        seen = Seen(
            labels, student.logits, teachers.logits, self._temperature, self._factors, *shown, tuple(self.critics)
        )
        distances, weights = self._loss.compute(seen), self._weigh(teachers.logits)
        if self._heard is not None:
            weights = heard(weights, self._heard[tf.minimum(epoch, len(self._heard) - 1)])
        return distances, weights


def parts(
    ground_truth: tf.Tensor, distillation: tf.Tensor, weights: Weights, names: Sequence[str]
) -> dict[str, tf.Tensor]:
    """What a training reports of its teachers, each float32 [B], by the names of the metrics.

    Args:
        ground_truth: float32 [B].
        distillation: float32 [B, T].
        weights: of the teachers.
        names: T names.
    """
    found = {
        "ground_truth_loss": ground_truth,
        "distillation_loss": tf.reduce_sum(weights.teachers * distillation, axis=1),
    }
    found |= {f"weight_{name}": weights.teachers[:, position] for position, name in enumerate(names)}
    if weights.case is not None:
        found |= {f"case_{case}": tf.cast(weights.case == at, tf.float32) for at, case in enumerate(PAPER_CASES)}
    return found
