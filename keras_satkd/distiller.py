"""`Distiller`: a Keras model that trains a student on ground truth and any number of teachers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from keras_satkd.batch_checks import check_labels, check_range, is_distribution
from keras_satkd.config import WeightingConfig
from keras_satkd.data import augment
from keras_satkd.losses import blend, distillation_losses, ground_truth_loss
from keras_satkd.models import students
from keras_satkd.models.teachers import Teacher
from keras_satkd.weighting import PAPER_CASES, RULES, Weights, make_rule


@tf_keras.saving.register_keras_serializable("keras_satkd")
class Distiller(tf_keras.Model):  # type: ignore[misc]  # TensorFlow has no types
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
        weighting: rule that weights the teachers.
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
        UserError: the weighting does not fit the number of teachers.
        ValueError: a teacher is no `Teacher`, or there are more or fewer class weights than classes. From the methods
            above: a label is outside 0..C-1, the labels have another shape, or the images were already divided by 255.
            From `compile`: a loss is given.
    """

    def __init__(
        self,
        student: tf_keras.Model,
        teachers: Sequence[Teacher] = (),
        *,
        teacher_names: Sequence[str] = (),
        temperature: float = 5.0,
        weighting: WeightingConfig | None = None,
        calibration: Sequence[float] = (),
        normalize: Callable[[tf.Tensor], tf.Tensor] = students.normalize,
        sensor_noise: float = 0.0,
        average: float = 0.0,
        class_weights: Sequence[float] = (),
        **kwargs: Any,
    ) -> None:
        for teacher in teachers:
            if not hasattr(teacher, "logits"):
                raise ValueError(
                    f"teacher {getattr(teacher, 'name', teacher)!r} is a {type(teacher).__name__}: give "
                    "keras_satkd.models.teachers.Teacher(name, network, input_size, input_range)"
                )
        super().__init__(**kwargs)
        self.student = student
        # In a closure, because Keras tracks, trains and saves every model that is an attribute.
        self._run_teachers = _in_inference_mode(tuple(teachers))
        self.teacher_names = tuple(teacher.name for teacher in teachers) or tuple(teacher_names)
        self.temperature = temperature
        self.weighting = weighting or WeightingConfig()
        self.calibration = tuple(calibration)
        self.normalize = normalize
        self.sensor_noise = sensor_noise
        self.average = average
        self.class_weights = tuple(class_weights)
        if self.class_weights and len(self.class_weights) != student.output_shape[-1]:
            raise ValueError(f"{len(self.class_weights)} class weights found: give {student.output_shape[-1]}")
        self.epoch = _state(np.int64(0))
        if average:
            self._steps = _state(0.0)
            self._averages = [_state(weights) for weights in self._averaged()]
        self._weigh = None
        if self.teacher_names:
            self._weigh = make_rule(self.weighting, len(self.teacher_names), temperature, calibration)
        # Checkpoints restore weights before the first batch, and check `built` to see whether there are any.
        self.built = student.built
        self._means = {name: tf_keras.metrics.Mean(name) for name in self._metric_names()}

    def _metric_names(self) -> list[str]:
        names = ["loss", "accuracy"]
        if self.teacher_names:
            names += ["ground_truth_loss", "distillation_loss"]
            names += [f"weight_{name}" for name in self.teacher_names]
        if self.teacher_names and RULES[self.weighting.rule].has_cases:
            names += [f"case_{case}" for case in PAPER_CASES]
        return names

    @property
    def metrics(self) -> list[tf_keras.metrics.Metric]:
        """The means of this class, then the metrics given to `compile`; `fit` resets them every epoch."""
        return [*self._means.values(), *super().metrics]

    def call(self, inputs: Any, training: bool | None = None) -> tf.Tensor:
        """Student logits, float32 [B, C], of images in 0..255 (or of a batch's dictionary)."""
        images = inputs["image"] if isinstance(inputs, dict) else inputs
        if training and self.sensor_noise:
            images = augment.sensor_noise(images, self.sensor_noise, self._steps_done())
        return tf.cast(self.student(self.normalize(images), training=training), tf.float32)

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, *arguments: Any, **settings: Any) -> None:
        """As for any Keras model, but without a loss: the distiller has its own."""
        if loss is not None:
            raise ValueError(f"loss is {loss!r}: omit it, because the distiller has its own loss")
        super().compile(optimizer, None, *arguments, **settings)

    def _steps_done(self) -> tf.Tensor:
        """Number of optimizer steps, int64, also of a training that was resumed."""
        return tf.constant(0, tf.int64) if self.optimizer is None else tf.cast(self.optimizer.iterations, tf.int64)

    def fit(self, x: Any = None, y: Any = None, *arguments: Any, **settings: Any) -> tf_keras.callbacks.History:
        """As for any Keras model. Images and labels in arrays are checked first, also those of `validation_data`."""
        self._check(x, y)
        given = settings.get("validation_data")
        if isinstance(given, tuple) and len(given) > 1:
            self._check(*given[:2])
        return super().fit(x, y, *arguments, **settings)

    def evaluate(self, x: Any = None, y: Any = None, *arguments: Any, **settings: Any) -> Any:
        """As for any Keras model. Images and labels in arrays are checked first."""
        self._check(x, y)
        return super().evaluate(x, y, *arguments, **settings)

    def train_on_batch(self, x: Any, y: Any = None, *arguments: Any, **settings: Any) -> Any:
        """As for any Keras model. Images and labels in arrays are checked first."""
        self._check(x, y)
        return super().train_on_batch(x, y, *arguments, **settings)

    def test_on_batch(self, x: Any, y: Any = None, *arguments: Any, **settings: Any) -> Any:
        """As for any Keras model. Images and labels in arrays are checked first."""
        self._check(x, y)
        return super().test_on_batch(x, y, *arguments, **settings)

    def _check(self, inputs: Any, labels: Any) -> None:
        if self.normalize is students.normalize:
            check_range(inputs.get("image") if isinstance(inputs, dict) else inputs)
        check_labels(labels, self.student.output_shape[-1])

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One optimizer step on a batch; returns the running means of all metrics."""
        inputs, labels, sample_weight = tf_keras.utils.unpack_x_y_sample_weight(data)
        teacher_logits = self._teacher_logits(inputs)
        if teacher_logits is None and self.teacher_names:
            images = inputs.get("teacher_image", inputs["image"]) if isinstance(inputs, dict) else inputs
            teacher_logits = self._run_teachers(images)
        with tf.GradientTape() as tape:
            student_logits = self(inputs, training=True)
            loss = self._loss(labels, student_logits, teacher_logits, sample_weight)
            # The optimizer sums gradients over replicas, and each holds the mean of its own part of the batch.
            objective = loss / tf.distribute.get_strategy().num_replicas_in_sync
        weights = self.student.trainable_variables
        # Gradients of gathered weights (a transformer's position biases) are sparse, so the optimizer would sort them.
        gradients = [
            gradient if gradient is None else tf.convert_to_tensor(gradient)
            for gradient in tape.gradient(objective, weights)
        ]
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        if self.average:
            self._update_average()
        return self._results(labels, student_logits, sample_weight)

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
        student_logits = self(inputs, training=False)
        self._loss(labels, student_logits, self._teacher_logits(inputs), sample_weight)
        return self._results(labels, student_logits, sample_weight)

    @staticmethod
    def _teacher_logits(inputs: Any) -> tf.Tensor | None:
        if isinstance(inputs, dict) and "teacher_logits" in inputs:
            return tf.cast(inputs["teacher_logits"], tf.float32)
        return None

    def _loss(
        self, labels: tf.Tensor, student_logits: tf.Tensor, teacher_logits: tf.Tensor | None, sample_weight: Any
    ) -> tf.Tensor:
        """Mean loss of the batch; its parts are added to the metrics."""
        losses = ground_truth_loss(_one_hot(labels, student_logits), student_logits, self.class_weights)
        if teacher_logits is not None and self._weigh is not None:
            distillation = distillation_losses(teacher_logits, student_logits, self.temperature)
            weights = self._weigh(teacher_logits)
            self._update_teacher_metrics(losses, distillation, weights, sample_weight)
            losses = blend(losses, distillation, weights.teachers, weights.share)
        self._means["loss"].update_state(losses, sample_weight)
        if sample_weight is not None:
            losses *= tf.cast(sample_weight, losses.dtype)
        return tf.reduce_mean(losses)

    def _update_teacher_metrics(
        self, ground_truth: tf.Tensor, distillation: tf.Tensor, weights: Weights, sample_weight: Any
    ) -> None:
        parts = {
            "ground_truth_loss": ground_truth,
            "distillation_loss": tf.reduce_sum(weights.teachers * distillation, axis=1),
        }
        for position, name in enumerate(self.teacher_names):
            parts[f"weight_{name}"] = weights.teachers[:, position]
        if weights.case is not None:
            for position, case in enumerate(PAPER_CASES):
                parts[f"case_{case}"] = tf.cast(weights.case == position, tf.float32)
        for name, values in parts.items():
            self._means[name].update_state(values, sample_weight)

    def _results(self, labels: tf.Tensor, student_logits: tf.Tensor, sample_weight: Any) -> dict[str, tf.Tensor]:
        one_hot = _one_hot(labels, student_logits)
        correct = tf.argmax(one_hot, axis=-1) == tf.argmax(student_logits, axis=-1)
        self._means["accuracy"].update_state(tf.cast(correct, tf.float32), sample_weight)
        if self.compiled_metrics is not None:
            self.compiled_metrics.update_state(one_hot, student_logits, sample_weight)
        return {metric.name: metric.result() for metric in self.metrics}

    def get_config(self) -> dict[str, Any]:
        """What `save` stores: the student and the loss, but not the teachers, which never change."""
        return {
            "student": tf_keras.saving.serialize_keras_object(self.student),
            "teacher_names": self.teacher_names,
            "temperature": self.temperature,
            "weighting": vars(self.weighting),
            "calibration": self.calibration,
            "sensor_noise": self.sensor_noise,
            "average": self.average,
            "class_weights": self.class_weights,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Distiller":
        """A distiller without teachers. It can evaluate, and train on precomputed teacher logits."""
        student = tf_keras.saving.deserialize_keras_object(config.pop("student"), custom_objects=custom_objects)
        weighting: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in config.pop("weighting").items()
        }
        return cls(student, weighting=WeightingConfig(**weighting), **config)


def _in_inference_mode(teachers: tuple[Teacher, ...]) -> Callable[[tf.Tensor], tf.Tensor | None]:
    def run(images: tf.Tensor) -> tf.Tensor | None:
        return tf.stack([teacher.logits(images) for teacher in teachers], axis=1) if teachers else None

    return run


def _state(value: Any) -> tf.Variable:
    return tf.Variable(value, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def _one_hot(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    # The shape of a dataset's labels may be known only at run time.
    if labels.shape.rank is not None and is_distribution(tuple(labels.shape), logits.shape[-1]):
        return tf.cast(labels, tf.float32)
    return tf.one_hot(tf.cast(tf.reshape(labels, [-1]), tf.int32), logits.shape[-1])
