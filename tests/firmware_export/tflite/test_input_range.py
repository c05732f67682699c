"""Input ranges: which one a quantization shows, and when a code is a flipped pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.tflite import input_range


@pytest.mark.parametrize(
    ("scale", "zero_point", "name"),
    [
        (1 / 255, -128, "0..1"),
        (0.00392156094, -128, "0..1"),
        (0.0031, -128, "0..1"),
        (1.0, -128, "0..255"),
        (0.00784313772, -1, "-1..1"),
        (0.0078125, -1, "efficientnet-lite"),
        (1 / 255, 0, "-0.5..0.5"),
        (1 / 255, -1, "-0.5..0.5"),
        (0.391, 89, None),
        (0.02, -128, None),
    ],
)
def test_the_range_shows_in_scale_and_zero_point(scale, zero_point, name):
    assert input_range.found(scale, zero_point) == name


def test_a_range_that_is_stated_exactly_is_the_only_candidate():
    assert input_range.candidates(1 / 255, -128) == ("0..1",)
    assert input_range.candidates(0.0078125, -1) == ("efficientnet-lite",)
    assert input_range.candidates(0.0031, -128) == tuple(input_range.INPUT_RANGES)


@given(
    name=st.sampled_from(["0..1", "-1..1", "0..255", "-0.5..0.5"]),
    stretch=st.floats(0.97, 1.03),
    shift=st.integers(-2, 2),
)
def test_a_flipped_pixel_is_the_nearest_code_of_every_pixel(name, stretch, shift):
    low, high = input_range.value(name, 0), input_range.value(name, 255)
    scale = float(np.float32((high - low) / 255 * stretch))
    zero_point = round(-128 - low / scale) + shift
    pixels = np.arange(256)
    exact = np.array([input_range.value(name, int(pixel)) for pixel in pixels]) / scale + zero_point
    away = np.abs(exact - (pixels - 128)).max()
    if input_range.is_flipped_pixel(name, scale, zero_point):
        assert away <= 0.5 + 1e-3
    else:
        assert away > 0.5


@pytest.mark.parametrize("name", input_range.INPUT_RANGES)
def test_images_are_normalized(name):
    images = np.arange(256, dtype=np.uint8).reshape(1, 256, 1, 1).repeat(3, axis=3)
    values = input_range.normalized(images, name)
    assert values.dtype == np.float32
    for channel in range(3):
        expected = [input_range.value(name, pixel, channel) for pixel in range(256)]
        np.testing.assert_allclose(values[0, :, 0, channel], expected, rtol=1e-5, atol=1e-6)


def test_an_unknown_range_is_refused():
    with pytest.raises(UserError, match=r"unknown input range '0\.\.2'"):
        input_range.check("0..2")
    input_range.check("imagenet")
