import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.losses import ground_truth_loss
from keras_satkd.method import observers
from keras_satkd.models import students
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.models.teachers import Teacher


@pytest.fixture
def batch(image_set):
    images = image_set(6)
    return tf.constant(images.images), tf.one_hot(images.labels, 3)


def test_features(batch, teacher):
    images, labels = batch
    one = teacher("one", 1)
    view = observers.teacher_observer([one, one], "features")(*batch)
    np.testing.assert_array_equal(view.logits[:, 0], one.logits(images))
    convolution = tf_keras.Model(one.network.inputs, one.network.layers[2].output)
    assert [each.shape for each in view.maps] == [(6, 4, 4, 4)] * 2
    np.testing.assert_array_equal(view.maps[0], convolution(one.normalize(images)))
    student = tiny_network(seed=2)
    found = observers.student_observer(student, students.normalize, "features")(images, labels)
    np.testing.assert_array_equal(found.logits, student(students.normalize(images)))
    assert found.map.shape == (6, 4, 4, 4)


def test_gradients_are_those_of_the_image_in_0_to_1(batch, teacher):
    images, labels = batch
    one, student = teacher("one", 1), tiny_network(seed=2)
    view = observers.teacher_observer([one], "gradients")(*batch)
    np.testing.assert_array_equal(view.logits[:, 0], one.logits(images))
    found = observers.student_observer(student, students.normalize, "gradients")(images, labels)
    unit = tf.cast(images, tf.float32) / 255
    for gradient, network in ((view.gradients[:, 0], one.network), (found.gradient, student)):
        # The middle of two differences, at the pixel where the slope is the largest.
        at = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        step = np.zeros(unit.shape, np.float32)
        step[at] = 0.01
        above, below = (ground_truth_loss(labels, network(unit + sign * step))[at[0]] for sign in (1, -1))
        assert gradient.numpy()[at] == pytest.approx((above - below).numpy() / 0.02, rel=0.05)


def test_a_student_whose_logits_are_enough():
    assert observers.student_observer(tiny_network(), students.normalize, "logits") is None


def test_teachers_that_show_too_little(teacher):
    stored = StoredLogits("file", (), np.zeros((0, 1, 3), np.float32), "0" * 64)
    observers.check([stored], "logits", "kl")
    observers.check([None, teacher("one", 1)], "features", "at")
    with pytest.raises(
        UserError, match=r"loss 'at' needs features, and teacher file is given as logits: use a loss of"
    ):
        observers.check([stored], "features", "at")
    flat = tf_keras.Sequential([tf_keras.layers.Flatten(input_shape=(16, 16, 3)), tf_keras.layers.Dense(3)], "flat")
    with pytest.raises(UserError, match=r"loss 'at': teacher two: flat has no feature map"):
        observers.check([Teacher("two", flat, 16, "0..1")], "features", "at")
    observers.check([Teacher("two", flat, 16, "0..1")], "gradients", "kdiga")
    foreign = Teacher("three", lambda images, training: images, 16, "0..1")
    with pytest.raises(UserError, match="teacher three is no model of tf_keras"):
        observers.check([foreign], "gradients", "kdiga")


def test_what_is_no_teacher():
    with pytest.raises(ValueError, match="teacher 3 is a int: give"):
        observers.check_kinds([3], 3)


def test_a_teacher_of_other_classes(teacher):
    observers.check_kinds([teacher()], 3)
    with pytest.raises(ValueError, match="teacher 'tiny' has 3 classes, the student 10: give"):
        observers.check_kinds([teacher()], 10)
