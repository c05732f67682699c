"""The distillation loss of arXiv 2411.00209: one pure function per term.

`B` images, `T` teachers, `C` classes.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def balanced_weights(labels: np.ndarray, classes: int) -> tuple[float, ...]:
    """Weights of the classes that make all of them count alike: `w_c = N / (C · N_c)`.

    Their mean over the N images is 1, so the loss keeps its scale. Ground truth and teachers keep their shares of it on
    average: of images of rare classes, the ground truth counts more than its share, and of frequent ones, less.

    Args:
        labels: int [N] in 0..C-1; N_c of them are c.
        classes: C.

    Returns:
        C weights; 0 for a class without images.
    """
    images = np.bincount(labels, minlength=classes)
    return tuple((len(labels) / (classes * np.maximum(images, 1)) * (images > 0)).tolist())


def ground_truth_loss(
    labels: tf.Tensor, student_logits: tf.Tensor, class_weights: Sequence[float] | None = None
) -> tf.Tensor:
    """Cross-entropy with the labels, on raw logits: `CE_b = −Σ_c w_c · y_bc · log softmax(S_b)_c`.

    Args:
        labels: float32 [B, C], one-hot or mixed; each row sums to 1.
        student_logits: float32 [B, C].
        class_weights: `w`, C of them, such as `balanced_weights`; all are 1 if not given.

    Returns:
        float32 [B].
    """
    weighted = labels if not class_weights else labels * tf.constant(class_weights, labels.dtype)
    return -tf.reduce_sum(weighted * tf.nn.log_softmax(student_logits), axis=-1)


def distillation_losses(teacher_logits: tf.Tensor, student_logits: tf.Tensor, temperature: float) -> tf.Tensor:
    """Divergence of the student from each teacher: `τ² · KL(P_t ‖ P_S)`, `P_t = softmax(T_t/τ)`, `P_S = softmax(S/τ)`.

    `KL(P_t ‖ P_S) = Σ_c P_t(c) · (log P_t(c) − log P_S(c))`, from log-softmax, so that a probability that underflows
    adds 0 instead of infinity. τ² keeps the size of the gradient independent of τ (Hinton et al., 2015).

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
