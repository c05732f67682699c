"""Attention transfer (Zagoruyko and Komodakis, ICLR 2017, arXiv 1612.03928)."""

import tensorflow as tf

from keras_satkd.losses import kl
from keras_satkd.losses.loss import Loss, Seen
from keras_satkd.losses.maps import pooled


def attention_transfer(teacher_map: tf.Tensor, student_map: tf.Tensor) -> tf.Tensor:
    """Distance of where student and teacher look: `AT_b = mean over positions of (q_S/‖q_S‖ − q_t/‖q_t‖)²`.

    `q = Σ_k A_k²` over the channels of a map A. The larger of both q is averaged to the size of the smaller.

    Args:
        teacher_map: float32 [B, h_t, w_t, k_t]; no gradient flows into it.
        student_map: float32 [B, h, w, k].

    Returns:
        float32 [B].
    """
    maps = [
        tf.reduce_sum(tf.square(each), axis=-1, keepdims=True) for each in (tf.stop_gradient(teacher_map), student_map)
    ]
    size = [min(sizes) for sizes in zip(*(each.shape[1:3] for each in maps), strict=True)]
    positions = size[0] * size[1]
    flat = [tf.reshape(pooled(each, *size), (-1, positions)) for each in maps]
    teacher, student = (tf.math.l2_normalize(each, axis=1) for each in flat)
    return tf.reduce_mean(tf.square(student - teacher), axis=1)


def of(seen: Seen) -> tf.Tensor:
    """`λ · τ² · KL + β · AT`, of the last maps, float32 [B, T]; factors λ, β: 1, 1000, the authors' β."""
    distances = [attention_transfer(teacher, seen.student_map) for teacher in seen.teacher_maps]
    return seen.factors[0] * kl.of(seen) + seen.factors[1] * tf.stack(distances, axis=1)


AT = Loss(of, needs="features", factors=(1.0, 1000.0))
