import numpy as np
import pytest

from keras_satkd.camera import pixels


def test_rounding_and_clipping_of_the_converter():
    found = pixels.to_uint8(np.array([-3.0, 0.4, 0.6, 127.49, 254.6, 300.0], np.float32))
    assert found.tolist() == [0, 0, 1, 127, 255, 255]
    assert found.dtype == np.uint8


def test_severities_of_batch_image_and_band():
    images = np.zeros((2, 4, 5, 3), np.uint8)
    assert pixels.per_image(2.5, images).shape == (2, 1, 1, 1)
    assert pixels.per_image(np.array([1, 2]), images).ravel().tolist() == [1, 2]
    bands = np.array([[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(pixels.per_image(bands, images)[:, 0, 0], bands)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 1, 1, 3)])
def test_severities_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"a number, \[2\] or \[2, 3\] expected"):
        pixels.per_image(np.ones(shape), np.zeros((2, 4, 5, 3)))


def test_each_seed_and_purpose_draws_its_own_numbers():
    def first(seeds: list[int], purpose: str) -> list[float]:
        return [generator.random() for generator in pixels.generators(np.array(seeds), purpose)]

    one, two = first([1, 2], "noise")
    assert one != two
    assert first([2], "noise") == [two]
    assert first([2], "smear") != [two]
