"""`Distiller`: a Keras model that trains a student on ground truth and any number of teachers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from keras_satkd.config import LossConfig, WeightingConfig
from keras_satkd.data import augment
from keras_satkd.losses import Loss, Seen, blend, ground_truth_loss
from keras_satkd.method.batch_checks import CheckedModel, check_settings, one_hot
from keras_satkd.method.observers import StudentView, TeacherView, check_kinds
from keras_satkd.method.teaching import CountEpochs, Teaching, own_object, parts
from keras_satkd.models import students
from keras_satkd.models.teachers import Teacher
from keras_satkd.registry import LOSSES, WEIGHTING_RULES, reference_of
from keras_satkd.weighting import PAPER_CASES, Maker, RuleType


@tf_keras.saving.register_keras_serializable("keras_satkd")
class Distiller(CheckedModel):
    """A student, its teachers and the loss between them; works with `compile`, `fit`, callbacks and `evaluate`.

    A batch is `(x, y)`. `x` is a tensor of images, or `{"image": images, "teacher_logits": logits}`; images are
    [B, H, W, 3] in 0..255 of any numeric type, `teacher_logits` float [B, T, C] (`training.teacher_logits` computes
    them). If they are missing, the teachers run inside the training step, on `teacher_image` if `x` has it: images of
    the same kind, for teachers that see another view. `y` is int [B] or [B, 1] in 0..C-1, or float [B, C] (one-hot or
    mixed); the accuracy of a mixed label counts the class with the largest part.

    `fit`, `evaluate`, `train_on_batch` and `test_on_batch` check images and labels that are arrays, lists or eager
    tensors. Of labels from a `tf.data.Dataset` or a generator, only the shape is checked, because a check of the values
    inside the compiled step would be lost under XLA. There, a label outside 0..C-1 belongs to no class: its
    ground-truth loss is 0, and the accuracy takes it for class 0.

    Without teachers this is plain supervised training, which is how teachers and baselines are trained. In evaluation,
    a batch without teacher logits is scored on the ground truth only: no teacher runs to validate a student.

    Args:
        student: images → logits [B, C], such as `students.build(...)`, also after `tfmot`'s `quantize_model`.
        teachers: each gets the same images and resizes and normalizes them itself. They are neither trained nor saved.
        teacher_names: names for the metrics if all teacher logits are precomputed and no teacher is given.
        temperature: τ > 0 of the distillation loss.
        loss: the distillation loss: a name (`registry.LOSSES`), settings, a `losses.Loss`, or a function of
            `losses.Seen`. Losses that need features or gradients run the teachers inside the training step, and
            validate on the ground truth only.
        weighting: rule that weights the teachers, and its settings.
        rule: a `weighting.RuleType`, or a function that makes a rule, in place of the rule that `weighting` names.
        teacher_factors: factors of the teachers' weights, float [E, T] of E epochs (`teacher_schedules.factors`); later
            epochs have those of the last. `epoch` counts them. None: all teachers are heard alike.
        calibration: one temperature per teacher, for the rules that calibrate; 1 if empty.
        normalize: images in 0..255 → the student's input.
        sensor_noise: largest standard deviation of noise on the student's training images (`augment.sensor_noise`); the
            teachers get images without noise.
        class_weights: weights of the classes in the ground-truth loss, C of them (`losses.balanced_weights`); none if
            empty.
        average: momentum in [0, 1) of a moving average of the student's weights and batch statistics, updated after
            every step; 0: none. `exchange_average` loads it into the student.

    Attributes:
        epoch: int64 variable, saved in checkpoints: number of the next epoch, for batches that depend on it.

    Raises:
        UserError: the weighting does not fit the number of teachers; loss or rule are unknown; or the loss needs more
            than the teachers show.
        ValueError: the temperature is not above 0, the student ends in a softmax or another function, a teacher is no
            `Teacher` or has other classes, the student has no feature map for a loss that needs it, or there are more
            or fewer class weights than classes. From the methods above: a label is outside 0..C-1, the labels have
            another shape, or the images are not in 0..255. From `compile`: a loss is given. From `get_config`: loss or
            rule are objects that no module names.
    """

    def __init__(
        self,
        student: tf_keras.Model,
        teachers: Sequence[Teacher] = (),
        *,
        teacher_names: Sequence[str] = (),
        temperature: float = 5.0,
        loss: str | LossConfig | Loss | Callable[[Seen], tf.Tensor] = "kl",
        weighting: WeightingConfig | None = None,
        rule: RuleType | Maker | None = None,
        teacher_factors: Any = None,
        calibration: Sequence[float] = (),
        normalize: Callable[[tf.Tensor], tf.Tensor] = students.normalize,
        sensor_noise: float = 0.0,
        average: float = 0.0,
        class_weights: Sequence[float] = (),
        **kwargs: Any,
    ) -> None:
        check_settings(student, temperature, class_weights)
        check_kinds(teachers, student.output_shape[-1])
        super().__init__(**kwargs)
        self.student = student
        self._given_loss, self._given_rule = loss, rule
        self.teacher_names = tuple(teacher.name for teacher in teachers) or tuple(teacher_names)
        self.temperature = temperature
        self.weighting = weighting or WeightingConfig()
        self.calibration = tuple(calibration)
        self.normalize = normalize
        self.sensor_noise = sensor_noise
        self.average = average
        self.class_weights = tuple(class_weights)
        self.epoch = _state(np.int64(0))
        if average:
            self._steps = _state(0.0)
            self._averages = [_state(weights) for weights in self._averaged()]
        self._teaching = Teaching(
            student,
            teachers,
            self.teacher_names,
            normalize=normalize,
            temperature=temperature,
            loss=loss,
            weighting=self.weighting,
            rule=rule,
            calibration=calibration,
            teacher_factors=teacher_factors,
        )
        if self._teaching.critics:
            self._critics = self._teaching.critics  # so that checkpoints hold them
        # Checkpoints restore weights before the first batch, and check `built` to see whether there are any.
        self.built = student.built
        self._means = {name: tf_keras.metrics.Mean(name) for name in self._metric_names()}

    def _metric_names(self) -> list[str]:
        names = ["loss", "accuracy"]
        if self.teacher_names:
            names += ["ground_truth_loss", "distillation_loss"]
            names += [f"weight_{name}" for name in self.teacher_names]
        if self.teacher_names and self._teaching.rule.has_cases:
            names += [f"case_{case}" for case in PAPER_CASES]
        return names

    @property
    def metrics(self) -> list[tf_keras.metrics.Metric]:
        """The means of this class, then the metrics given to `compile`; `fit` resets them every epoch."""
        return [*self._means.values(), *super().metrics]

    def call(self, inputs: Any, training: bool | None = None) -> tf.Tensor:
        """Student logits, float32 [B, C], of images in 0..255 (or of a batch's dictionary)."""
        images = self._noisy(inputs) if training else _images(inputs)
        return tf.cast(self.student(self.normalize(images), training=training), tf.float32)

    def _noisy(self, inputs: Any) -> tf.Tensor:
        images = _images(inputs)
        if not self.sensor_noise:
            return images
        context = tf.distribute.get_replica_context()
        part = (0, 1) if context is None else (context.replica_id_in_sync_group, context.num_replicas_in_sync)
        return augment.sensor_noise(images, self.sensor_noise, self._steps_done(), *part)

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, *arguments: Any, **settings: Any) -> None:
        """As for any Keras model, but without a loss: the distiller has its own."""
        if loss is not None:
            raise ValueError(f"loss is {loss!r}: omit it, because the distiller has its own loss")
        super().compile(optimizer, None, *arguments, **settings)

    def fit(self, x: Any = None, y: Any = None, *arguments: Any, callbacks: Any = None, **settings: Any) -> Any:
        """As for any Keras model. Images and labels in arrays are checked first, also those of `validation_data`."""
        return super().fit(x, y, *arguments, callbacks=[CountEpochs(), *(callbacks or ())], **settings)

    def _steps_done(self) -> tf.Tensor:
        """Number of optimizer steps, int64, also of a training that was resumed."""
        return tf.constant(0, tf.int64) if self.optimizer is None else tf.cast(self.optimizer.iterations, tf.int64)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One optimizer step on a batch; returns the running means of all metrics."""
        inputs, labels, sample_weight = tf_keras.utils.unpack_x_y_sample_weight(data)
        classes = one_hot(labels, self.student.output_shape[-1])
        teachers = self._teaching.teacher_view(inputs, classes)
        with tf.GradientTape() as tape:
            student = self._student_view(inputs, classes)
            loss = self._with_others(self._loss(classes, student, teachers, sample_weight), inputs, classes, student)
            # The optimizer sums gradients over replicas, and each holds the mean of its own part of the batch.
            objective = loss / tf.distribute.get_strategy().num_replicas_in_sync
        weights = self._trained_weights()
        # Gradients of gathered weights (a transformer's position biases) are sparse, so the optimizer would sort them.
        gradients = [
            gradient if gradient is None else tf.convert_to_tensor(gradient)
            for gradient in tape.gradient(objective, weights)
        ]
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        self._after_step()
        return self._results(classes, student.logits, sample_weight)

    def _with_others(self, loss: tf.Tensor, inputs: Any, labels: tf.Tensor, student: StudentView) -> tf.Tensor:
        """The loss of a step, with what a subclass adds to the student's own."""
        return loss

    def _trained_weights(self) -> list[tf.Variable]:
        return [*self.student.trainable_variables, *self._teaching.critic_weights]

    def _after_step(self) -> None:
        if self.average:
            self._update_average()

    def _student_view(self, inputs: Any, labels: tf.Tensor) -> StudentView:
        observe = self._teaching.student_view
        return StudentView(self(inputs, training=True)) if observe is None else observe(self._noisy(inputs), labels)

    def _averaged(self) -> list[tf.Variable]:
        # Quantization-aware layers hold counters too.
        return [weights for weights in self.student.weights if weights.dtype.is_floating]

    def _update_average(self) -> None:
        # A shorter memory at the beginning, since the first weights are random.
        momentum = tf.minimum(self.average, (1 + self._steps) / (10 + self._steps))
        self._steps.assign_add(1)
        for average, weights in zip(self._averages, self._averaged(), strict=True):
            average.assign_add((1 - momentum) * (weights - average))

    def exchange_average(self) -> None:
        """Exchange the student's weights and their average; a second call takes that back."""
        for average, weights in zip(self._averages, self._averaged(), strict=True):
            held = tf.identity(weights)
            weights.assign(average)
            average.assign(held)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Metrics of a batch, without training."""
        inputs, labels, sample_weight = tf_keras.utils.unpack_x_y_sample_weight(data)
        classes = one_hot(labels, self.student.output_shape[-1])
        student = StudentView(self(inputs, training=False))
        self._loss(classes, student, self._teaching.stored_view(inputs), sample_weight)
        return self._results(classes, student.logits, sample_weight)

    def _loss(
        self, labels: tf.Tensor, student: StudentView, teachers: TeacherView | None, sample_weight: Any
    ) -> tf.Tensor:
        """Mean loss of the batch; its parts are added to the metrics."""
        losses = ground_truth_loss(labels, student.logits, self.class_weights)
        judged = self._teaching.judge(labels, student, teachers, self.epoch)
        if judged is not None:
            distillation, weights = judged
            for name, values in parts(losses, distillation, weights, self.teacher_names).items():
                self._means[name].update_state(values, sample_weight)
            losses = blend(losses, distillation, weights.teachers, weights.share)
        self._means["loss"].update_state(losses, sample_weight)
        if sample_weight is not None:
            losses *= tf.cast(sample_weight, losses.dtype)
        return tf.reduce_mean(losses)

    def _results(self, labels: tf.Tensor, student_logits: tf.Tensor, sample_weight: Any) -> dict[str, tf.Tensor]:
        correct = tf.argmax(labels, axis=-1) == tf.argmax(student_logits, axis=-1)
        self._means["accuracy"].update_state(tf.cast(correct, tf.float32), sample_weight)
        if self.compiled_metrics is not None:
            self.compiled_metrics.update_state(labels, student_logits, sample_weight)
        return {metric.name: metric.result() for metric in self.metrics}

    def get_config(self) -> dict[str, Any]:
        """What `save` stores: the student and the loss, but not the teachers, which never change."""
        loss, rule = self._given_loss, self._given_rule
        settings = LossConfig(loss) if isinstance(loss, str) else loss
        own = settings if isinstance(settings, LossConfig) else LossConfig(reference_of(settings))
        return {
            "student": tf_keras.saving.serialize_keras_object(self.student),
            "teacher_names": self.teacher_names,
            "temperature": self.temperature,
            "loss": vars(own),
            "weighting": vars(self.weighting) | ({} if rule is None else {"rule": reference_of(rule)}),
            "calibration": self.calibration,
            "sensor_noise": self.sensor_noise,
            "average": self.average,
            "class_weights": self.class_weights,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Distiller":
        """A distiller without teachers. It can evaluate, and train on precomputed teacher logits.

        Raises:
            ValueError: loss or rule are a user's own, and `custom_objects` does not have them by their names.
        """
        student = tf_keras.saving.deserialize_keras_object(config.pop("student"), custom_objects=custom_objects)
        groups: list[dict[str, Any]] = [
            {key: tuple(value) if isinstance(value, list) else value for key, value in config.pop(name).items()}
            for name in ("loss", "weighting")
        ]
        loss, weighting = groups
        own: dict[str, Any] = {"loss": LossConfig(**loss), "rule": None}
        for setting, name, registry in (("loss", loss["name"], LOSSES), ("rule", weighting["rule"], WEIGHTING_RULES)):
            if not registry.is_own(name):
                own[setting] = own_object(name, custom_objects)
        return cls(student, weighting=WeightingConfig(**weighting), **own, **config)


def _state(value: Any) -> tf.Variable:
    return tf.Variable(value, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def _images(inputs: Any) -> tf.Tensor:
    return inputs["image"] if isinstance(inputs, dict) else inputs
