"""Training with unlabelled images; the loss itself is tested in losses/test_fixmatch.py."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy.special import log_softmax, softmax
from tests_support import tiny_network

from keras_satkd.method.fixmatch import STRONG, WEAK, FixMatch

CONFIDENCE = 0.5
"""Between the guesses of an untrained network."""


@pytest.fixture
def batch(image_set):
    found, others = image_set(9), image_set(12, 1)
    inputs = {"image": found.images, WEAK: others.images, STRONG: others.images[:, ::-1]}
    return {name: tf.constant(images) for name, images in inputs.items()}, tf.constant(found.labels)


def test_a_step_adds_the_unlabelled_loss(batch):
    inputs, labels = batch
    network = tiny_network()
    before = {name: network(images.numpy() / np.float32(255)).numpy() for name, images in inputs.items()}
    distiller = FixMatch(network, weight=0.5, confidence=CONFIDENCE)
    distiller.compile(tf_keras.optimizers.SGD(1.0))
    logged = distiller.train_step((inputs, labels))

    guesses = softmax(before[WEAK], axis=1)
    is_sure = guesses.max(axis=1) >= CONFIDENCE
    assert 0 < is_sure.mean() < 1
    losses = is_sure * -log_softmax(before[STRONG], axis=1)[np.arange(12), guesses.argmax(axis=1)]
    assert logged["sure"].numpy() == pytest.approx(is_sure.mean())
    assert logged["unlabelled_loss"].numpy() == pytest.approx(losses.mean(), rel=1e-5)

    # The step of plain gradient descent is the gradient of both parts.
    again = tiny_network()
    with tf.GradientTape() as tape:
        logits, strong = (again(inputs[name].numpy() / np.float32(255)) for name in ("image", STRONG))
        of_labels = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        others = tf.nn.sparse_softmax_cross_entropy_with_logits(guesses.argmax(axis=1), strong)
        loss = tf.reduce_mean(of_labels) + 0.5 * tf.reduce_mean(is_sure.astype(np.float32) * others)
    for first, gradient, found in zip(
        again.trainable_weights, tape.gradient(loss, again.trainable_weights), network.trainable_weights, strict=True
    ):
        np.testing.assert_allclose(found, first - gradient, rtol=1e-4, atol=1e-6)


def test_validation_is_of_labelled_images(batch):
    distiller = FixMatch(tiny_network(), weight=1.0, confidence=0.5)
    distiller.compile(tf_keras.optimizers.SGD(1.0))
    assert set(distiller.test_step(({"image": batch[0]["image"]}, batch[1]))) == {"loss", "accuracy"}
