"""Logit standardization in knowledge distillation (Sun et al., CVPR 2024, arXiv 2403.01427)."""

import tensorflow as tf

from keras_satkd.losses.kl import divergence
from keras_satkd.losses.loss import Loss, Seen

LEAST_DEVIATION = 1e-7
"""Added to σ: equal logits become 0."""


def standardized(logits: tf.Tensor) -> tf.Tensor:
    """`Z(x)_c = (x_c − μ)/σ`, with the mean μ and the population's standard deviation σ of an image's C logits.

    The student then need not reach the teacher's mean and scale, only the relations between its logits.

    Args:
        logits: float32 [..., C].

    Returns:
        float32 [..., C].
    """
    centred = logits - tf.reduce_mean(logits, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
    # The root's slope at 0 is infinite.
    deviation = tf.sqrt(tf.maximum(variance, LEAST_DEVIATION**2)) + LEAST_DEVIATION
    return centred / deviation


def of(seen: Seen) -> tf.Tensor:
    """`τ² · KL(softmax(Z(T_t)/τ) ‖ softmax(Z(S)/τ))`, float32 [B, T]. The paper's τ is 2."""
    return divergence(standardized(seen.teacher_logits), standardized(seen.student_logits), seen.temperature)


ZSCORE = Loss(of)
