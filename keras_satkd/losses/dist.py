"""Knowledge distillation from a stronger teacher, "DIST" (Huang et al., NeurIPS 2022, arXiv 2205.10536)."""

import tensorflow as tf

from keras_satkd.losses.loss import Loss, Seen


def relations(teacher_logits: tf.Tensor, student_logits: tf.Tensor, temperature: float) -> tuple[tf.Tensor, tf.Tensor]:
    """How far the student is from the teacher's relations between classes, and between images.

    With `P = softmax(logits/τ)` and Pearson's correlation ρ:

    - classes of an image: `inter_bt = τ² · (1 − ρ(P_S(b, ·), P_t(b, ·)))`
    - images of a class: `intra_t = τ² · (1 − mean over c of ρ(P_S(·, c), P_t(·, c)))`, over the batch

    ρ ignores shift and scale, so the student need not match a strong teacher's exact probabilities.

    Args:
        teacher_logits: float32 [B, T, C]; no gradient flows into them.
        student_logits: float32 [B, C].
        temperature: τ > 0.

    Returns:
        inter, float32 [B, T], and intra, float32 [T].
    """
    teacher = tf.nn.softmax(tf.stop_gradient(teacher_logits) / temperature)
    student = tf.nn.softmax(student_logits / temperature)[:, tf.newaxis]
    inter = 1 - _correlation(student, teacher, axis=2)
    intra = 1 - tf.reduce_mean(_correlation(student, teacher, axis=0), axis=-1)
    return temperature**2 * inter, temperature**2 * intra


def _correlation(one: tf.Tensor, other: tf.Tensor, axis: int) -> tf.Tensor:
    """Pearson's ρ along an axis; 0 where one of both is constant."""
    centred = [values - tf.reduce_mean(values, axis=axis, keepdims=True) for values in (one, other)]
    return tf.reduce_sum(tf.math.multiply(*(tf.math.l2_normalize(each, axis) for each in centred)), axis=axis)


def of(seen: Seen) -> tf.Tensor:
    """`β · inter + γ · intra`, float32 [B, T]; factors β, γ: 1, 1."""
    inter, intra = relations(seen.teacher_logits, seen.student_logits, seen.temperature)
    return seen.factors[0] * inter + seen.factors[1] * intra


DIST = Loss(of, factors=(1.0, 1.0), compares_images=True)
