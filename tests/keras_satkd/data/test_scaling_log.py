import numpy as np
import pytest

from firmware_export.images.image_set import Bands
from firmware_export.images.scaling import Scaling
from keras_satkd.data import scaling_log

RANDOM = np.random.default_rng(3)


def of_bands(number, low=0, high=4095):
    names = tuple(map(str, range(1, number + 1)))
    bands = Bands(names, tuple(range(number)), number)
    return Scaling(bands, "uint16", (low,) * number, (high,) * number, "given")


def test_what_lies_beyond_a_range_is_told(caplog):
    scaling_log.tell(np.array([[[[10], [20]], [[30], [5000]]]], np.uint16), of_bands(1, 20))
    assert "25 % of the training samples are lower, 25 % higher" in caplog.text
    assert "samples of uint16 become codes 0..255: 20..4095 (given)" in caplog.text


def test_zeros_in_all_bands_are_told(caplog):
    pixels = RANDOM.integers(1, 4096, (6, 8, 8, 4), np.uint16)
    scaling_log.tell(pixels, of_bands(4))
    assert "are 0 in all bands" not in caplog.text
    pixels[:, 0] = 0
    scaling_log.tell(pixels, of_bands(4))
    assert "12.5 % of the training pixels are 0 in all bands" in caplog.text


@pytest.mark.parametrize(("largest", "is_told"), [(4096, False), (5000, False), (8192, True)])
def test_samples_of_another_sensor_are_told(largest, is_told, caplog):
    scaling_log.warn_of_clipped(RANDOM.integers(0, largest, (6, 8, 8, 2), np.uint16), of_bands(2))
    said = "% of the samples are above the range of the scaling, which ends at 4095: are they of the same sensor?"
    assert (said in caplog.text) == is_told


@pytest.mark.parametrize(("low", "is_told"), [(0, False), (-5, False), (900, True)])
def test_light_of_code_0_is_told_where_a_camera_disturbs(low, is_told, caplog):
    scaling_log.warn_of_black(of_bands(3, low))
    assert ("code 0 stands for samples up to 900" in caplog.text) == is_told
    assert ("--data.scaling 0:4095" in caplog.text) == is_told


@pytest.mark.parametrize(("largest", "is_told"), [(31, True), (32, False)])
def test_darkness_is_told(largest, is_told, caplog):
    pixels = np.full((2, 4, 4, 3), largest, np.uint8)
    scaling_log.warn_of_dark(pixels, 32)
    assert (f"no training pixel is above {largest} of 255" in caplog.text) == is_told
