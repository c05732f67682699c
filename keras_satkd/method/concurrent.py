"""A `Distiller` whose student learns from adversarial images, beside a natural network: each teaches the other.

Source: Arani et al., "Adversarial Concurrent Training" (BMVC 2020, arXiv 2008.07015).
"""

from typing import Any

import tensorflow as tf
import tf_keras

from keras_satkd.distiller import Distiller
from keras_satkd.losses import divergence, ground_truth_loss
from keras_satkd.method.observers import StudentView
from keras_satkd.pgd import Attack, perturbed

_NATURAL_ACCURACY = "natural_accuracy"


class Concurrent(Distiller):
    """Adversarial concurrent training, ACT.

    With the robust student F, the natural network G, images x, and x' from the attack on F (`pgd.perturbed`):

        L = (1 − α) · (L_F(x') + CE(y, G(x))) + α · (KL(G(x) ‖ F(x')) + KL(F(x') ‖ G(x)))

    In each divergence, no gradient flows into the first network. `L_F` is the loss of `Distiller`: CE without teachers;
    with them, also the distance of F on x' from the teachers on x. Both networks are trained by one optimizer. The
    accuracy in training is that of F on x', and `natural_accuracy` that of G on x; validation is of F on images as they
    are.

    Args:
        student: F, as for `Distiller`. The loss must need logits alone.
        attack: on F in inference mode, whose first images depend on the number of the step.
        natural: G, with the input and output of F; None: F learns alone, `L = L_F(x')`.
        mutual_share: α in [0, 1].
        settings: as for `Distiller`.
    """

    def __init__(
        self,
        student: tf_keras.Model,
        *,
        attack: Attack,
        natural: tf_keras.Model | None = None,
        mutual_share: float = 0.5,
        **settings: Any,
    ) -> None:
        super().__init__(student, **settings)
        self._attack, self._mutual_share = attack, mutual_share
        self.natural = natural
        if natural is not None:
            self._natural_accuracy = tf_keras.metrics.Mean(_NATURAL_ACCURACY)  # Keras lists it among the metrics

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Metrics of F on a batch."""
        return {name: value for name, value in super().test_step(data).items() if name != _NATURAL_ACCURACY}

    def _student_view(self, inputs: Any, labels: tf.Tensor) -> StudentView:
        images = inputs["image"] if isinstance(inputs, dict) else inputs
        seed = tf.stack([tf.constant(0, tf.int64), self._steps_done()])
        attacked = perturbed(lambda given: self(given, training=False), images, labels, self._attack, seed)
        return StudentView(self(attacked, training=True))

    def _trained_weights(self) -> list[tf.Variable]:
        others = [] if self.natural is None else self.natural.trainable_variables
        return [*super()._trained_weights(), *others]

    def _with_others(self, loss: tf.Tensor, inputs: Any, labels: tf.Tensor, student: StudentView) -> tf.Tensor:
        if self.natural is None:
            return loss
        images = inputs["image"] if isinstance(inputs, dict) else inputs
        logits = tf.cast(self.natural(self.normalize(images), training=True), tf.float32)
        is_right = tf.argmax(logits, axis=-1) == tf.argmax(labels, axis=-1)
        self._natural_accuracy.update_state(tf.cast(is_right, tf.float32))
        own = tf.reduce_mean(ground_truth_loss(labels, logits, self.class_weights))
        mutual = divergence(logits[:, None], student.logits, 1.0) + divergence(student.logits[:, None], logits, 1.0)
        return (1 - self._mutual_share) * (loss + own) + self._mutual_share * tf.reduce_mean(mutual)
