import numpy as np
import pytest

from firmware_export.errors import UserError
from keras_satkd import students


@pytest.mark.parametrize(
    ("name", "parameters", "macs"), [("resnet8", 98_522, 58_393_216), ("resnet16", 195_738, 115_016_320)]
)
def test_published_sizes(name, parameters, macs):
    student = students.build(name, 64, 10)
    assert students.trainable_parameters(student) == parameters
    assert students.macs(student) == macs


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
