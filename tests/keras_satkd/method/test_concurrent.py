"""Adversarial concurrent training against NumPy; the attack is tested in tests/keras_satkd/test_pgd.py."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy.special import log_softmax
from tests_support import tiny_network

from keras_satkd.method import concurrent
from keras_satkd.method.concurrent import Concurrent
from keras_satkd.pgd import Attack

ATTACK = Attack(8.0, 3, 4.0)
SHARE = 0.3


def logits(network, images):
    return network(np.asarray(images, np.float32) / np.float32(255)).numpy()


def divergence(one, other):
    one, other = log_softmax(one, axis=1), log_softmax(other, axis=1)
    return (np.exp(one) * (one - other)).sum(axis=1)


@pytest.fixture
def batch(image_set):
    found = image_set(9)
    return tf.constant(found.images), tf.constant(found.labels)


@pytest.fixture
def attacked(monkeypatch):
    """What the attack gave, in order."""
    found = []

    def noted(*arguments):
        found.append(perturbed(*arguments))
        return found[-1]

    perturbed = concurrent.perturbed
    monkeypatch.setattr(concurrent, "perturbed", noted)
    return found


def test_a_step_has_the_loss_of_both_and_trains_both(batch, attacked):
    student, natural = tiny_network(seed=0), tiny_network(seed=1)
    before = [each.get_weights() for each in (student, natural)]
    distiller = Concurrent(student, attack=ATTACK, natural=natural, mutual_share=SHARE)
    distiller.compile(tf_keras.optimizers.SGD(0.0))
    images, labels = batch
    logged = distiller.train_step(({"image": images}, labels))
    [others] = attacked
    assert 0 < np.abs(others - tf.cast(images, tf.float32)).max() <= 8

    robust, plain = logits(student, others), logits(natural, images)
    at = np.arange(9), labels.numpy()
    own = [-log_softmax(each, axis=1)[at] for each in (robust, plain)]
    assert logged["loss"].numpy() == pytest.approx(own[0].mean(), rel=1e-5)
    assert logged["accuracy"].numpy() == pytest.approx((robust.argmax(axis=1) == at[1]).mean())
    assert logged["natural_accuracy"].numpy() == pytest.approx((plain.argmax(axis=1) == at[1]).mean())
    view = distiller._student_view({"image": images}, tf.one_hot(labels, 3))
    total = distiller._with_others(tf.constant(own[0].mean()), {"image": images}, tf.one_hot(labels, 3), view)
    mutual = divergence(plain, robust) + divergence(robust, plain)
    expected = (1 - SHARE) * (own[0] + own[1]).mean() + SHARE * mutual.mean()
    assert total.numpy() == pytest.approx(expected, rel=1e-3)  # the attack began elsewhere

    distiller.compile(tf_keras.optimizers.SGD(0.1))
    distiller.train_step(({"image": images}, labels))
    for each, weights in zip((student, natural), before, strict=True):
        assert all((one != two).any() for one, two in zip(weights, each.get_weights(), strict=True) if one.ndim > 1)
    assert set(distiller.test_step((images, labels))) == {"loss", "accuracy"}


def test_alone_the_student_learns_from_adversarial_images(batch, attacked):
    student = tiny_network()
    distiller = Concurrent(student, attack=ATTACK)
    distiller.compile(tf_keras.optimizers.SGD(0.0))
    logged = distiller.train_step(batch)
    expected = -log_softmax(logits(student, attacked[0]), axis=1)[np.arange(9), batch[1].numpy()].mean()
    assert logged["loss"].numpy() == pytest.approx(expected, rel=1e-5)
    assert "natural_accuracy" not in logged


def test_teachers_see_images_as_they_are(batch, teacher):
    one = teacher(seed=3)
    seen = []
    distiller = Concurrent(tiny_network(), teachers=[one], attack=ATTACK)
    run = distiller._teaching._run_teachers
    distiller._teaching._run_teachers = lambda images, labels: seen.append(images) or run(images, labels)
    distiller.compile(tf_keras.optimizers.SGD(0.0))
    distiller.train_step(batch)
    np.testing.assert_array_equal(seen[0], batch[0])
