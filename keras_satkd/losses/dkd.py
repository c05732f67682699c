"""Decoupled knowledge distillation (Zhao et al., CVPR 2022, arXiv 2203.08679)."""

import tensorflow as tf

from keras_satkd.losses.loss import Loss, Seen

_EXCLUDED = -1e9
"""A logit of this size has probability 0, and the difference of two of them is finite."""


def decoupled(
    teacher_logits: tf.Tensor, student_logits: tf.Tensor, labels: tf.Tensor, temperature: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """The two parts of `KL(P_t ‖ P_S)`: whether it is the target class, and which of the others it is.

    With the target class y, `p = P(y)` and `P̂(c) = P(c)/(1 − p)` for c ≠ y:

    - target: `TCKD = τ² · (p_t · log(p_t/p_S) + (1 − p_t) · log((1 − p_t)/(1 − p_S)))`
    - others: `NCKD = τ² · Σ_{c≠y} P̂_t(c) · log(P̂_t(c)/P̂_S(c))`

    `τ² · KL = TCKD + (1 − p_t) · NCKD`: a sure teacher hides what it knows of the other classes, and here it does not.

    Args:
        teacher_logits: float32 [B, T, C]; no gradient flows into them.
        student_logits: float32 [B, C].
        labels: float32 [B, C]; y is the class with the largest part.
        temperature: τ > 0.

    Returns:
        TCKD and NCKD, float32 [B, T] each.
    """
    is_target = tf.one_hot(tf.argmax(labels, axis=-1), labels.shape[-1], on_value=True, off_value=False)[:, tf.newaxis]
    teacher = tf.stop_gradient(teacher_logits) / temperature
    student = (student_logits / temperature)[:, tf.newaxis]
    target = _sum_of_binary(_binary(teacher, is_target), _binary(student, is_target))
    others = [tf.nn.log_softmax(tf.where(is_target, _EXCLUDED, logits)) for logits in (teacher, student)]
    among_others = tf.reduce_sum(tf.exp(others[0]) * (others[0] - others[1]), axis=-1)
    return temperature**2 * target, temperature**2 * among_others


def _binary(logits: tf.Tensor, is_target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`log p` and `log (1 − p)` of the target class, [B, T or 1] each."""
    log_probabilities = tf.nn.log_softmax(logits)
    target = tf.reduce_sum(tf.where(is_target, log_probabilities, 0.0), axis=-1)
    return target, tf.reduce_logsumexp(tf.where(is_target, _EXCLUDED, log_probabilities), axis=-1)


def _sum_of_binary(teacher: tuple[tf.Tensor, tf.Tensor], student: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    return tf.add_n([tf.exp(of_teacher) * (of_teacher - own) for of_teacher, own in zip(teacher, student, strict=True)])


def of(seen: Seen) -> tf.Tensor:
    """`α · TCKD + β · NCKD`, float32 [B, T]; factors α, β: 1, 8."""
    target, others = decoupled(seen.teacher_logits, seen.student_logits, seen.labels, seen.temperature)
    return seen.factors[0] * target + seen.factors[1] * others


DKD = Loss(of, factors=(1.0, 8.0))
