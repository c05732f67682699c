"""Labels and teachers in one loss (arXiv 2411.00209). `B` images, `T` teachers."""

import tensorflow as tf


def blend(ground_truth: tf.Tensor, distillation: tf.Tensor, teacher_weights: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Total loss of each image: `L_b = (1 − s_b) · CE_b + s_b · Σ_t w_bt · D_bt`.

    With `w = (α, β)` and `s = (α + β)/2` this is the paper's loss. Class weights are in `CE_b` alone: for an image of
    class c, they multiply `1 − s_b` and leave `s_b` as it is.

    Args:
        ground_truth: `CE`, float32 [B].
        distillation: `D`, float32 [B, T].
        teacher_weights: `w`, float32 [B, T].
        share: `s` in [0, 1], float32 [B].

    Returns:
        float32 [B].
    """
    return (1.0 - share) * ground_truth + share * tf.reduce_sum(teacher_weights * distillation, axis=-1)
