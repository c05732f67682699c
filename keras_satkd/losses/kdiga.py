"""Knowledge distillation with input gradient alignment, KDIGA (Shao et al., 2021, arXiv 2110.12072)."""

import tensorflow as tf

from keras_satkd.losses import kl
from keras_satkd.losses.loss import Loss, Seen

_LEAST = 1e-12
"""Added below the root, whose slope at 0 is infinite."""


def gradient_distance(teacher_gradients: tf.Tensor, student_gradient: tf.Tensor) -> tf.Tensor:
    """`‖∇ₓ CE(y, S) − ∇ₓ CE(y, T_t)‖₂`: a student that changes with the image as its teacher does is as robust.

    Args:
        teacher_gradients: float32 [B, T, H, W, N]; no gradient flows into them.
        student_gradient: float32 [B, H, W, N].

    Returns:
        float32 [B, T].
    """
    difference = student_gradient[:, tf.newaxis] - tf.stop_gradient(teacher_gradients)
    return tf.sqrt(tf.reduce_sum(tf.square(difference), axis=(2, 3, 4)) + _LEAST)


def of(seen: Seen) -> tf.Tensor:
    """`λ · τ² · KL + μ · ‖∇S − ∇T_t‖₂`, float32 [B, T]; factors λ, μ: 1, 1."""
    distances = gradient_distance(seen.teacher_gradients, seen.student_gradient)
    return seen.factors[0] * kl.of(seen) + seen.factors[1] * distances


KDIGA = Loss(of, needs="gradients", factors=(1.0, 1.0))
