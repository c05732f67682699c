"""Statistics against values worked by hand."""

import numpy as np
import pytest

from firmware_export.drift import statistics


def of(rows, outputs=((5, -3, 1),)):
    """The statistics of one image of one band, by name."""
    image = np.array(rows, np.uint8)[np.newaxis, :, :, np.newaxis]
    found = statistics.of(image, np.array(outputs, np.int8))
    assert found.dtype == np.int32
    return dict(zip(statistics.meanings(1), found[0].tolist(), strict=True))


def test_by_hand():
    assert of([[0, 10, 255], [4, 4, 7]]) == {
        "band 0": 280,
        "direction": 10 + 245 + 0 + 3 - (4 + 6 + 248),
        "texture": abs(0 - 10) + abs(3 - 245),
        "contrast": 10 + 245 + 0 + 3,
        "dark": 1,
        "bright": 1,
        "margin": 4,
    }


def test_bands():
    image = np.zeros((1, 2, 4, 2), np.int8)
    image[0, 1, 1] = (5, 7)
    image[0, 0, 0] = (-128, 127)
    found = dict(
        zip(statistics.meanings(2), statistics.of(image, np.array([[0, 9]], np.int8))[0].tolist(), strict=True)
    )
    assert (found["band 0"], found["band 1"]) == (-123, 134)
    assert (found["dark"], found["bright"], found["margin"]) == (1, 1, 9)
    # Mixed differences of columns 0 to 1 and 1 to 2; -128 + 5 and 127 + 7, then -5 and -7.
    assert found["texture"] == 123 + 134 + 5 + 7
    assert found["color texture"] == 257 + 2
    # The values above are half a row from nothing else: columns 0 and 2, 1 and 3.
    assert found["contrast"] == 128 + 127 + 5 + 7


def test_what_each_is_for():
    flat = np.full((8, 8), 100)
    stripes, noise = flat + 10 * (np.arange(8) % 2), flat + np.random.default_rng(1).integers(-9, 9, (8, 8))
    assert of(flat)["direction"] == of(flat)["texture"] == 0
    assert of(stripes)["direction"] == -of(stripes.T)["direction"] == 8 * 7 * 10
    assert of(stripes)["texture"] == 0
    assert of(noise)["texture"] > 300
    assert of(flat - 100)["dark"] == of(flat + 155)["bright"] == 64


@pytest.mark.parametrize("count", [1, 255, 257])
def test_parts_are_joined(count):
    images = np.random.default_rng(count).integers(0, 256, (count, 4, 5, 3), np.uint8)
    outputs = np.random.default_rng(count).integers(-128, 128, (count, 1, 6)).astype(np.int8)
    found = statistics.of(images, outputs)
    assert found.shape == (count, len(statistics.meanings(3)))
    np.testing.assert_array_equal(found[-1:], statistics.of(images[-1:], outputs[-1:]))
    np.testing.assert_array_equal(found[:, :3], images.sum(axis=(1, 2)))


def test_no_sum_overflows():
    """The largest image holds for the statistic that grows fastest, with the steepest image that there is."""
    rows, columns, bands = np.indices((2, 2, 2))
    steepest = (255 * ((rows + columns + bands) % 2)).astype(np.uint8)[np.newaxis]
    at = list(statistics.meanings(2)).index("color texture")
    assert statistics.of(steepest, np.zeros((1, 2), np.int8))[0, at] == 1020
    assert statistics.LARGEST_IMAGE * 1020 < 2**31
