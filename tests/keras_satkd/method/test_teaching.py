"""Every loss in training steps, with every rule's weights, in bfloat16, and in quantization-aware training."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.config import WeightingConfig
from keras_satkd.distiller import Distiller
from keras_satkd.losses import Loss, divergence
from keras_satkd.registry import LOSSES
from keras_satkd.training.fit import precision
from keras_satkd.weighting import Weights


def quarter_divergence(seen):
    return divergence(seen.teacher_logits, seen.student_logits, seen.temperature) / 4


QUARTER = Loss(quarter_divergence)


def only_first(config, teachers, temperature, calibration):
    row = tf.one_hot([0], teachers)
    return lambda logits: Weights(tf.repeat(row, tf.shape(logits)[0], axis=0), tf.fill([tf.shape(logits)[0]], 0.5))


def history(distiller, images, epochs=1, **settings):
    distiller.compile(optimizer=tf_keras.optimizers.Adam(3e-3))
    return distiller.fit(images.images, images.labels, batch_size=12, epochs=epochs, verbose=0, **settings).history


@pytest.mark.parametrize("loss", LOSSES.names())
def test_every_loss_teaches_under_confidence_weights(loss, image_set, teacher):
    student = tiny_network(seed=5)
    distiller = Distiller(student, (teacher("one", 1), teacher("two", 2)), loss=loss)
    found = history(distiller, image_set(12), epochs=6)
    assert found["distillation_loss"][0] > 0
    assert found["distillation_loss"][-1] < found["distillation_loss"][0]
    assert found["weight_one"][0] + found["weight_two"][0] == pytest.approx(1)
    assert len(distiller.trainable_weights) == len(student.trainable_weights) + (4 if loss == "mimkd" else 0)


@pytest.mark.parametrize("loss", LOSSES.names())
def test_every_loss_in_bfloat16(loss, image_set, teacher):
    teachers = (teacher("one", 1),)
    try:
        with precision("on"):
            student = tiny_network(seed=5)
    except UserError as error:
        pytest.skip(str(error))
    assert np.isfinite(history(Distiller(student, teachers, loss=loss), image_set(12))["loss"]).all()


@pytest.mark.parametrize("loss", [name for name in LOSSES.names() if name != "kdiga"])
def test_losses_in_quantization_aware_training(loss, image_set, teacher):
    quantized = tfmot.quantization.keras.quantize_model(tiny_network(seed=5))
    assert np.isfinite(history(Distiller(quantized, (teacher("one", 1),), loss=loss), image_set(12))["loss"]).all()


def test_objects_of_a_user_and_their_names(image_set, teacher, tmp_path):
    both = teacher("one", 1), teacher("two", 2)
    distiller = Distiller(tiny_network(seed=5), both, loss=QUARTER, rule=only_first)
    found = history(distiller, image_set(12))
    assert found["weight_one"] == [1]
    plain = Distiller(tiny_network(seed=5), both, weighting=WeightingConfig(rule="single", single_teacher=0))
    assert history(plain, image_set(12))["distillation_loss"][0] == pytest.approx(4 * found["distillation_loss"][0])
    distiller.save(tmp_path / "own.keras")
    with pytest.raises(ValueError, match=r"is not of this package: load the model with custom_objects="):
        tf_keras.models.load_model(tmp_path / "own.keras")
    own = {f"{__name__}:QUARTER": QUARTER, f"{__name__}:only_first": only_first}
    loaded = tf_keras.models.load_model(tmp_path / "own.keras", custom_objects=own)
    np.testing.assert_array_equal(loaded(image_set(12).images), distiller(image_set(12).images))


def test_the_schedule_follows_the_epochs(image_set, teacher):
    both = teacher("one", 1), teacher("two", 2)
    distiller = Distiller(tiny_network(seed=5), both, teacher_factors=[[0, 1], [1, 0]])
    found = history(distiller, image_set(12), epochs=3)
    assert found["weight_one"] == pytest.approx([0, 1, 1])
    assert found["weight_two"] == pytest.approx([1, 0, 0])


def test_features_need_the_teachers_themselves(image_set):
    distiller = Distiller(tiny_network(seed=5), teacher_names=["one"], loss="at")
    with pytest.raises(ValueError, match="the loss needs features of the teachers: give the teachers"):
        history(distiller, image_set(12))


def test_critics_are_in_checkpoints(image_set, teacher, tmp_path):
    distiller = Distiller(tiny_network(seed=5), (teacher("one", 1),), loss="mimkd")
    history(distiller, image_set(12))
    path = tf.train.Checkpoint(model=distiller).save(tmp_path / "checkpoint")
    other = Distiller(tiny_network(seed=6), (teacher("one", 1),), loss="mimkd")
    tf.train.Checkpoint(model=other).restore(path).expect_partial()
    for one, same in zip(distiller._teaching.critic_weights, other._teaching.critic_weights, strict=True):
        np.testing.assert_array_equal(one, same)
    distiller.save(tmp_path / "saved.keras")
    loaded = tf_keras.models.load_model(tmp_path / "saved.keras")
    np.testing.assert_array_equal(loaded(image_set(12).images), distiller(image_set(12).images))


def test_validation_without_logits_counts_the_ground_truth_alone(image_set, teacher):
    images = image_set(12)
    distiller = Distiller(tiny_network(seed=5), (teacher("one", 1),), loss="at")
    found = history(distiller, images, validation_data=(images.images, images.labels))
    assert found["val_distillation_loss"] == [0]
    assert found["val_loss"][0] > 0
