"""Mutual information maximization for knowledge distillation, MIMKD (Shrivastava et al., 2021, arXiv 2110.15946).

Two of its terms: the information that the teacher's vector of an image shares with the student's vector, and with the
student's regions. The critic is the separable one of Deep InfoMax (arXiv 1808.06670).
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

    With scores `s_pbn = student_bp · teacher_n` of region p of image b and the teacher's vector of image n, and
    `sp(x) = log(1 + eˣ)`:

    `L_b = mean over p of (sp(−s_pbb) + mean over n ≠ b of sp(s_pbn))`

    Args:
        student: float32 [B, P, D], P regions.
        teacher: float32 [B, D].

    Returns:
        float32 [B], above 0; `2 · log 2` if the student says nothing of the teacher. A batch of one image has no other
        image, and only the first term.
    """
    scores = tf.einsum("bpd,nd->bpn", student, teacher)
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

    def call(self, student_map: tf.Tensor, teacher_map: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The student's regions, [B, P, UNITS], its whole image, [B, 1, UNITS], and the teacher's, [B, UNITS]."""
        regions = pooled(student_map, REGIONS, REGIONS)
        regions = tf.reshape(regions, (-1, regions.shape[1] * regions.shape[2], regions.shape[3]))
        whole = tf.reduce_mean(student_map, axis=(1, 2))[:, tf.newaxis]
        local, whole = (tf.math.l2_normalize(self._student(each), axis=-1) for each in (regions, whole))
        teacher = tf.math.l2_normalize(self._teacher(tf.reduce_mean(teacher_map, axis=(1, 2))), axis=-1)
        return local, whole, SHARPNESS * teacher


def of(seen: Seen) -> tf.Tensor:
    """`λ · τ² · KL + λ_g · L(whole image) + λ_l · L(regions)`, float32 [B, T]; factors λ, λ_g, λ_l: 1, 1, 1."""
    terms = []
    for critic, teacher_map in zip(seen.critics, seen.teacher_maps, strict=True):
        local, whole, teacher = critic(seen.student_map, teacher_map)
        terms.append(
            seen.factors[1] * mutual_information(whole, teacher) + seen.factors[2] * mutual_information(local, teacher)
        )
    return seen.factors[0] * kl.of(seen) + tf.stack(terms, axis=1)


MIMKD = Loss(of, needs="features", factors=(1.0, 1.0, 1.0), critic=Critic, compares_images=True)
