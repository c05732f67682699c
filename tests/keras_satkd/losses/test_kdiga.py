import numpy as np
import tensorflow as tf

from keras_satkd.losses import Seen, divergence
from keras_satkd.losses.kdiga import KDIGA


def test_against_numpy():
    random = np.random.default_rng(0)
    logits, teachers = random.normal(size=(3, 4)).astype(np.float32), random.normal(size=(3, 2, 4)).astype(np.float32)
    own, given = random.normal(size=(3, 5, 5, 2)), random.normal(size=(3, 2, 5, 5, 2))
    seen = Seen(
        None,
        logits,
        teachers,
        3.0,
        (2.0, 7.0),
        student_gradient=own.astype(np.float32),
        teacher_gradients=given.astype(np.float32),
    )
    distance = [[np.linalg.norm(own[b] - given[b, t]) for t in range(2)] for b in range(3)]
    expected = 2 * divergence(teachers, logits, 3.0) + 7 * np.array(distance)
    np.testing.assert_allclose(KDIGA.compute(seen), expected, rtol=1e-4)


def test_a_gradient_of_a_gradient_ends_at_fake_quantization():
    """Why `kdiga` is refused with QAT: its model begins with this operator, so the second term would teach nothing."""
    image, kernel = tf.constant([[0.5, 0.25]]), tf.Variable([[0.5], [0.25]])
    for fake in (
        lambda values: tf.quantization.fake_quant_with_min_max_vars(values, -1.0, 1.0),
        lambda values: tf.quantization.fake_quant_with_min_max_vars_per_channel(values, [-1.0] * 2, [1.0] * 2),
        tf.identity,
    ):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(image)
                loss = tf.reduce_sum(tf.matmul(fake(image), kernel) ** 2)
            size = tf.reduce_sum(inner.gradient(loss, image) ** 2)
        assert (outer.gradient(size, kernel) is None) == (fake is not tf.identity)
