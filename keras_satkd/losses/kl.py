"""Distillation of softened probabilities (Hinton et al., 2015, arXiv 1503.02531): the default, and the paper's."""

import tensorflow as tf

from keras_satkd.losses.loss import Loss, Seen


def divergence(teacher_logits: tf.Tensor, student_logits: tf.Tensor, temperature: float) -> tf.Tensor:
    """Divergence of the student from each teacher: `τ² · KL(P_t ‖ P_S)`, `P_t = softmax(T_t/τ)`, `P_S = softmax(S/τ)`.

    `KL(P_t ‖ P_S) = Σ_c P_t(c) · (log P_t(c) − log P_S(c))`, from log-softmax, so that a probability that underflows
    adds 0 instead of infinity. τ² keeps the size of the gradient independent of τ.

    Args:
        teacher_logits: float32 [B, T, C]; no gradient flows into them.
        student_logits: float32 [B, C].
        temperature: τ > 0.

    Returns:
        float32 [B, T].
    """
    teacher = tf.nn.log_softmax(tf.stop_gradient(teacher_logits) / temperature)
    student = tf.nn.log_softmax(student_logits / temperature)[:, tf.newaxis, :]
    return temperature**2 * tf.reduce_sum(tf.exp(teacher) * (teacher - student), axis=-1)


def of(seen: Seen) -> tf.Tensor:
    """`divergence` of what a batch shows, float32 [B, T]."""
    return divergence(seen.teacher_logits, seen.student_logits, seen.temperature)


KL = Loss(of)
