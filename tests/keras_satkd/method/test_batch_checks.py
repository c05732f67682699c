import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from keras_satkd.method.batch_checks import check_labels, check_range, check_settings, is_distribution


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_images_in_0_to_1_are_refused(kind):
    for images in (np.full((1, 2, 2, 3), 0.5, kind), tf.constant(np.full((1, 2, 2, 3), 1, kind))):
        with pytest.raises(ValueError, match="highest value of the images is"):
            check_range(images)


@pytest.mark.parametrize(
    "images",
    [np.ones((1, 2), np.uint8), np.zeros((1, 2)), np.array([[0.5, 1.5]]), [0.5], None],
    ids=["uint8", "black", "above 1", "a list", "none"],
)
def test_other_images_pass(images):
    check_range(images)


def test_tensors_of_integers_pass():
    check_range(tf.constant([1], tf.uint8))


@pytest.mark.parametrize("labels", [[0, 2], [[0], [2]], np.eye(3), [1.0, 0.0]])
def test_labels_that_pass(labels):
    check_labels(labels, 3)
    check_labels(tf.constant(labels), 3)


def test_no_labels_pass():
    check_labels(None, 3)


@pytest.mark.parametrize(("labels", "named"), [([0, 3], "3"), ([-1], "-1"), ([0.5], "0.5"), ([np.nan], "nan")])
def test_labels_outside_of_the_classes_are_named(labels, named):
    with pytest.raises(ValueError, match=rf"label {named} found: expected whole numbers in 0\.\.2 for 3 classes"):
        check_labels(labels, 3)


@pytest.mark.parametrize(
    ("shape", "classes", "expected"),
    [((5,), 3, False), ((5, 1), 3, False), ((5, 3), 3, True), ((5, 1), 1, True), ((None, None), 3, True)],
)
def test_shapes_of_labels(shape, classes, expected):
    assert is_distribution(shape, classes) is expected


@pytest.mark.parametrize("shape", [(5, 2), (5, 1, 3), ()])
def test_a_shape_that_is_no_labels(shape):
    with pytest.raises(ValueError, match="labels of shape"):
        is_distribution(shape, 3)


@pytest.mark.parametrize(
    "images",
    [np.array([[0, 51000]], np.uint16), np.array([[0.0, 255.5]]), np.array([[-1, 3]]), np.array([[3.0, np.nan]])],
)
def test_images_outside_of_0_to_255_are_refused(images):
    with pytest.raises(ValueError, match=r"the images have values from .*: give 0\.\.255"):
        check_range(images)


@pytest.mark.parametrize("temperature", [0, -3.0, float("nan"), float("inf"), "5"])
def test_temperatures_that_are_none(temperature):
    student = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(3)])
    check_settings(student, 0.5, ())
    with pytest.raises(ValueError, match="give a number above 0"):
        check_settings(student, temperature, ())


def test_a_student_of_probabilities_is_refused():
    student = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(3, "softmax")])
    with pytest.raises(ValueError, match="the student ends in a softmax, but the loss needs logits"):
        check_settings(student, 5.0, ())
