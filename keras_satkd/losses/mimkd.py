"""Mutual information maximization for knowledge distillation, MIMKD (Shrivastava et al., 2021, arXiv 2110.15946).

Its terms: the information that the teacher's vector of an image shares with the student's vector, and with the
student's regions; and that each of the teacher's regions shares with the student's region in the same place. The critic
is the separable one of Deep InfoMax (arXiv 1808.06670). The paper compares regions of several layers, this of the last.
"""

import tensorflow as tf
import tf_keras

from keras_satkd.losses import kl
from keras_satkd.losses.loss import Loss, Seen
from keras_satkd.losses.maps import pooled

UNITS = 64
"""Numbers in a critic's embedding."""

REGIONS = 4
"""Rows and columns of the student's regions, at most: more of them cost time in each step."""

SHARPNESS = 10.0
"""Scores are in ± this, because embeddings have length 1: then no score overflows."""


def mutual_information(student: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """An image's part of the Jensen-Shannon estimate of mutual information, negative, so that training raises it.

    With scores `s_pbn = student_bp · teacher_np` of region p of image b and the teacher's region p of image n, or its
    only vector, and `sp(x) = log(1 + eˣ)`:

    `L_b = mean over p of (sp(−s_pbb) + mean over n ≠ b of sp(s_pbn))`

    Args:
        student: float32 [B, P, D], P regions.
        teacher: float32 [B, P, D], or [B, 1, D].

    Returns:
        float32 [B], above 0; `2 · log 2` if the student says nothing of the teacher. A batch of one image has no other
        image, and only the first term.
    """
    scores = tf.einsum("bpd,npd->bpn", student, tf.broadcast_to(teacher, tf.shape(student)))
    is_same = tf.eye(tf.shape(scores)[0])[:, tf.newaxis]
    together = tf.reduce_sum(is_same * tf.nn.softplus(-scores), axis=-1)
    apart = tf.reduce_sum((1 - is_same) * tf.nn.softplus(scores), axis=-1)
    others = tf.reduce_sum(1 - is_same, axis=-1)
    return tf.reduce_mean(together + tf.math.divide_no_nan(apart, others), axis=-1)


class Critic(tf_keras.layers.Layer):  # type: ignore[misc]  # TensorFlow has no types
    """Embeds the maps of student and teacher where they can be compared: two linear maps to `UNITS`, to length 1.

    Args:
        student_channels: k.
        teacher_channels: k_t.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self._student = tf_keras.layers.Dense(UNITS, use_bias=False, name="student")
        self._teacher = tf_keras.layers.Dense(UNITS, use_bias=False, name="teacher")
        # Built here, so that a checkpoint is restored before the first batch.
        self._student.build((None, student_channels))
        self._teacher.build((None, teacher_channels))
        self.built = True

    def call(self, maps: tuple[tf.Tensor, tf.Tensor], cells: tuple[int, int]) -> tuple[tf.Tensor, tf.Tensor]:
        """Embeddings of the maps of student and teacher on a grid of regions, float32 [B, P, UNITS] each."""
        student, teacher = (_regions(each, cells) for each in maps)
        embedded = (tf.math.l2_normalize(each, axis=-1) for each in (self._student(student), self._teacher(teacher)))
        own, given = embedded
        return own, SHARPNESS * given


def _regions(features: tf.Tensor, cells: tuple[int, int]) -> tf.Tensor:
    """float32 [B, h, w, K] → the means over a grid of at most so many rows and columns, [B, P, K]."""
    grid = pooled(features, *cells)
    return tf.reshape(grid, (-1, grid.shape[1] * grid.shape[2], grid.shape[3]))


def of(seen: Seen) -> tf.Tensor:
    """`λ · τ² · KL + λ_g · L(S, T) + λ_l · L(S_p, T) + λ_r · L(S_p, T_p)`, float32 [B, T].

    The factors λ, λ_g, λ_l, λ_r are 1. S and T are the whole images of student and teacher, `S_p` and `T_p` their
    regions: up to `REGIONS`² of them, and beside `T_p` no more rows and columns than either map has.
    """
    terms = []
    assert seen.student_map is not None
    for critic, teacher_map in zip(seen.critics, seen.teacher_maps, strict=True):
        maps, all_cells = (seen.student_map, teacher_map), (REGIONS, REGIONS)
        shared = tuple(min(REGIONS, *sizes) for sizes in zip(*(each.shape[1:3] for each in maps), strict=True))
        whole, teacher = critic(maps, (1, 1))
        local, _ = critic(maps, all_cells)
        pairs = (whole, teacher), (local, teacher), critic(maps, shared)
        parts = [mutual_information(*pair) for pair in pairs]
        terms.append(tf.add_n([factor * part for factor, part in zip(seen.factors[1:], parts, strict=True)]))
    return seen.factors[0] * kl.of(seen) + tf.stack(terms, axis=1)


MIMKD = Loss(of, needs="features", factors=(1.0, 1.0, 1.0, 1.0), critic=Critic, compares_images=True)
