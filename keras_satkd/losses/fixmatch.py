"""The loss of unlabelled images in FixMatch (Sohn et al., 2020, arXiv 2001.07685); on satellite images, MSMatch
(Gómez and Meoni, 2021, arXiv 2103.10368)."""

import tensorflow as tf


def consistency(weak_logits: tf.Tensor, strong_logits: tf.Tensor, confidence: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Cross-entropy of strong views with what the network is sure of on weak views of the same images.

    With `q_b = softmax(W_b)`, `L_b = 1[max_c q_b(c) ≥ confidence] · CE(argmax_c q_b(c), S_b)`.

    Args:
        weak_logits: `W`, float32 [B, C]; no gradient flows into them.
        strong_logits: `S`, float32 [B, C].
        confidence: in [0, 1].

    Returns:
        `L`, float32 [B], 0 where the network is not sure; and where it is, float32 [B] of 0 and 1.
    """
    guesses = tf.stop_gradient(tf.nn.softmax(weak_logits))
    is_sure = tf.cast(tf.reduce_max(guesses, axis=-1) >= confidence, tf.float32)
    labels = tf.argmax(guesses, axis=-1)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, strong_logits)
    return is_sure * losses, is_sure
