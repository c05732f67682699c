"""The part of the loss that labels give."""

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
