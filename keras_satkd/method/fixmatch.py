"""A `Distiller` that also learns from unlabelled images (`losses.fixmatch`)."""

from typing import Any

import tensorflow as tf
import tf_keras

from keras_satkd.distiller import Distiller
from keras_satkd.losses.fixmatch import consistency
from keras_satkd.method.observers import StudentView

WEAK, STRONG = "weak_image", "strong_image"
"""Views of unlabelled images in the dictionary of a batch."""


class FixMatch(Distiller):
    """Adds `weight · mean_b L_b` of the unlabelled images to the loss of each step.

    A batch's dictionary has, beside `image`, `WEAK` and `STRONG`: views of the same unlabelled images, uint8
    [U, H, W, N]. The guesses on weak views are those of the network in inference mode, as it will be used; the strong
    views are a batch of their own for batch norms. The metrics `sure`, the share of images whose guess counts, and
    `unlabelled_loss` are of training alone.

    Args:
        student: the network, as for `Distiller`.
        weight: of the unlabelled images' loss.
        confidence: the least probability of a guess that counts.
        settings: as for `Distiller`.
    """

    def __init__(self, student: tf_keras.Model, *, weight: float, confidence: float, **settings: Any) -> None:
        super().__init__(student, **settings)
        self._weight, self._confidence = weight, confidence
        self._unlabelled = {name: tf_keras.metrics.Mean(name) for name in ("sure", "unlabelled_loss")}

    @property
    def metrics(self) -> list[tf_keras.metrics.Metric]:
        """Those of `Distiller`, then those of unlabelled images."""
        return [*super().metrics, *self._unlabelled.values()]

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Metrics of a batch of labelled images."""
        return {name: value for name, value in super().test_step(data).items() if name not in self._unlabelled}

    def _with_others(self, loss: tf.Tensor, inputs: Any, labels: tf.Tensor, student: StudentView) -> tf.Tensor:
        guesses = self(inputs[WEAK], training=False)
        losses, is_sure = consistency(guesses, self(inputs[STRONG], training=True), self._confidence)
        self._unlabelled["sure"].update_state(is_sure)
        self._unlabelled["unlabelled_loss"].update_state(losses)
        return loss + self._weight * tf.reduce_mean(losses)
