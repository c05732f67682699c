import numpy as np
import pytest
import tf_keras

from firmware_export.common.errors import UserError
from keras_satkd.models import pretrained, students


def test_shape_names_and_no_bias_before_batch_norm():
    student = students.build("resnet8", 32, 5)
    assert student.output_shape == (None, 5)
    convolutions = [layer for layer in student.layers if layer.name.endswith("convolution")]
    assert len(convolutions) == 9
    assert not any(layer.use_bias for layer in convolutions)
    assert all(layer.kernel_size == (3, 3) for layer in convolutions)


def test_unknown_student_is_told_the_nearest():
    with pytest.raises(UserError, match="did you mean 'resnet16'"):
        students.build("resnet-16", 64, 10)


def test_too_small_an_image():
    with pytest.raises(UserError, match=r"image_size is 2"):
        students.build("resnet8", 2, 10)


def test_normalize_is_what_firmware_computes_without_float():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    codes = (pixels ^ 0x80).view(np.int8)
    np.testing.assert_allclose(students.normalize(pixels), (codes.astype(np.float64) + 128) / 255, atol=1e-7)


def test_training_goes_on_from_a_trained_student_of_any_image_size():
    trained = tf_keras.models.load_model(pretrained.path("resnet8_eurosat.keras"), compile=False)
    student = students.build("resnet8", 32, 10, "resnet8_eurosat.keras")
    for ours, theirs in zip(student.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_other_classes_begin_with_a_fresh_last_layer():
    trained = tf_keras.models.load_model(pretrained.path("resnet8_eurosat.keras"), compile=False)
    student = students.build("resnet8", 64, 3, "resnet8_eurosat.keras")
    assert student.output_shape == (None, 3)
    for ours, theirs in zip(student.get_weights()[:-2], trained.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["resnet16_eurosat.keras", "resnet8_eurosat_int8.tflite", "missing.keras"])
def test_weights_of_another_network_are_refused(name):
    with pytest.raises(UserError, match=name):
        students.build("resnet8", 64, 10, name)


@pytest.mark.parametrize("channels", [1, 4, 13])
def test_students_of_any_number_of_bands(channels):
    student = students.build("resnet8", 8, 3, channels=channels)
    assert student.input_shape == (None, 8, 8, channels)
    assert student(np.zeros((2, 8, 8, channels), np.float32)).shape == (2, 3)


def test_other_bands_begin_with_a_fresh_first_layer():
    trained = students.build("resnet8", 64, 10, "resnet8_eurosat.keras")
    wider = students.build("resnet8", 64, 10, "resnet8_eurosat.keras", channels=4)
    assert wider.get_layer("stem_convolution").get_weights()[0].shape == (3, 3, 4, 16)
    for name in ("stage1_block1_first_convolution", "logits"):
        for one, other in zip(trained.get_layer(name).get_weights(), wider.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
