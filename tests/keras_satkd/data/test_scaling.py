import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasters import raster_folder

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import Bands, ImageSet
from firmware_export.images.scaling import Scaling
from keras_satkd.data import scaling, sources
from keras_satkd.settings.data_config import DataConfig

CASES = Path(__file__).parents[4] / "shared" / "cases"
RANDOM = np.random.default_rng(2)


def image_set(samples, names=None):
    samples = np.asarray(samples)
    channels = samples.shape[-1]
    names = names or tuple(map(str, range(1, channels + 1)))
    files = tuple(f"a/{at}" for at in range(len(samples)))
    bands = Bands(names, tuple(range(channels)), channels)
    return ImageSet(samples, np.zeros(len(samples), np.int32), files, ("a",), bands=bands)


def decide(samples, *given):
    return scaling.decide(image_set(samples), DataConfig(scaling=given or ("auto",)))


def uniform(low, high, dtype=np.uint16, channels=2):
    return (low + RANDOM.random((6, 8, 8, channels)) * (high - low)).astype(dtype)


@pytest.mark.parametrize(
    ("largest", "high"), [(4000, 4095), (1000, 1023), (16_000, 16_383), (200, 255), (60_000, 65_535)]
)
def test_auto_takes_the_bits_that_the_training_images_use(largest, high, caplog):
    samples = uniform(0, largest)
    samples[0, 0, 0, 0] = largest
    found = decide(samples)
    assert (found.low, found.high) == ((0, 0), (high, high))
    assert f"samples of uint16 become codes 0..255: 0..{high}" in caplog.text
    codes = found.codes(samples)
    assert codes.max() >= 200


@pytest.mark.parametrize(
    ("largest", "few", "high"), [(4000, 3, 4095), (4000, 90, 4095), (4000, 700, 65_535), (60_000, 3, 65_535)]
)
def test_a_few_saturated_samples_do_not_tell_the_bits(largest, few, high, caplog):
    samples = uniform(0, largest)
    samples[0, 0, 0, 0], samples.reshape(-1)[1 : 1 + few] = largest, 65_535
    assert decide(samples).high == (high, high)
    assert (f"use 12 of 16 bits, apart from {few} samples of 65535" in caplog.text) == (high == 4095)


def test_images_of_another_sensor_are_told(caplog):
    images = image_set(uniform(5000, 60_000))
    scaling.scaled(images, Scaling(images.bands, "uint16", (0, 0), (4095, 4095), "given"))
    assert "100 % of the samples are above the range of the scaling" in caplog.text


def test_auto_takes_percentiles_where_most_samples_would_share_few_codes(caplog):
    samples = np.tile(uniform(800, 2000), (1, 4, 4, 1))
    samples[0, 0, 0] = 28_000  # a cloud, say
    found = decide(samples)
    assert found.low[0] in range(800, 850)
    assert found.high[0] in range(1950, 2000)
    assert "because the training images use 16 of 16 bits, but most samples would share few codes" in caplog.text
    assert len(np.unique(found.codes(samples))) > 200


def test_auto_of_float_samples():
    assert decide(uniform(0, 1, np.float32)).high == (1.0, 1.0)
    far = decide(uniform(-30, 50, np.float32))
    assert -30 <= far.low[0] < far.high[0] <= 50
    assert len(np.unique(far.codes(uniform(-30, 50, np.float32)))) > 200


def test_8_bits_stay_as_they_are_but_darkness_is_told(caplog):
    assert decide(uniform(0, 256, np.uint8)).is_identity
    assert not caplog.text
    assert decide(uniform(0, 16, np.uint8)).is_identity
    assert "no training pixel is above 15 of 255" in caplog.text


def test_percentiles_are_those_of_the_samples_in_each_band():
    samples = np.zeros((1, 10, 10, 2), np.uint16)
    samples[0, ..., 0] = np.arange(100).reshape(10, 10)
    samples[0, ..., 1] = 1000 + 3 * np.arange(100).reshape(10, 10)
    found = decide(samples, "percentiles:10:90")
    assert (found.low, found.high) == ((9, 1027), (89, 1267))
    flat = decide(np.full((2, 4, 4, 1), 65_535, np.uint16), "percentiles")
    assert (flat.low, flat.high) == ((65_534,), (65_535,))
    assert decide(np.full((2, 4, 4, 1), 0.5, np.float32), "percentiles").high == (1.5,)


def test_given_ranges():
    assert decide(uniform(0, 9000), "0:4095").high == (4095, 4095)
    each = decide(uniform(0, 9000), "100:3000", "200:9000")
    assert (each.low, each.high) == ((100, 200), (3000, 9000))
    assert decide(uniform(0, 1, np.float32), "-0.5:1.5").low == (-0.5, -0.5)
    assert decide(uniform(0, 9000), "full").high == (65_535, 65_535)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("bits",), "is 'bits': give auto, full, percentiles"),
        (("0:x",), "is '0:x'"),
        (("percentiles:5",), "is 'percentiles:5'"),
        (("percentiles:9:5",), "two percentiles from 0 to 100"),
        (("5:5",), r"two whole numbers in 0\.\.65535"),
        (("0:70000",), r"two whole numbers in 0\.\.65535"),
        (("0:1.5",), r"two whole numbers in 0\.\.65535"),
        (("0:nan",), "is '0:nan'"),
        (("0:1", "0:2", "0:3"), "gives 3 ranges, the images have 2 channels"),
        (("auto", "full"), "is 'auto'"),
    ],
)
def test_scalings_that_do_not_serve(given, message):
    with pytest.raises(UserError, match=message):
        decide(uniform(0, 4000), *given)


def test_float_samples_have_no_full_range():
    with pytest.raises(UserError, match="give LOW:HIGH"):
        decide(uniform(0, 1, np.float32), "full")
    with pytest.raises(UserError, match="give the lower number first"):
        decide(uniform(0, 1, np.float32), "1:0")


def test_bands_are_compared_by_name():
    names = ("B04", "B03")
    made = scaling.decide(image_set(uniform(0, 4000), names), DataConfig())
    elsewhere = Bands(names, (5, 2), 8)
    scaling.scaled(replace(image_set(uniform(0, 4000), names), bands=elsewhere), made)
    with pytest.raises(UserError, match=r"channels b03, B04, the model's are in another order: give --data"):
        scaling.scaled(image_set(uniform(0, 4000), ("b03", "B04")), made)


def test_images_of_other_bands_or_types_are_refused():
    made = decide(uniform(0, 4000))
    with pytest.raises(UserError, match=r"channels 1, 2, 3 \(number 1, 2, 3 of 3\), the model's are 1, 2"):
        scaling.scaled(image_set(uniform(0, 9, channels=3)), made)
    with pytest.raises(UserError, match="uint8 samples, the model's scaling is for uint16"):
        scaling.scaled(image_set(uniform(0, 9, np.uint8)), made)


def test_a_split_is_scaled_by_its_training_images(tmp_path):
    source = raster_folder(tmp_path / "images", 8)
    settings = DataConfig(
        source=str(source), cache_dir=str(tmp_path / "cache"), image_size=16, scaling=("percentiles",)
    )
    divided, made = scaling.load_split(settings)
    raw = sources.split(sources.load(settings), settings)
    assert made == scaling.decide(raw.train, settings)
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(divided, part).images, made.codes(getattr(raw, part).images))
    assert divided.train.images.dtype == np.uint8
    assert divided.train.channel_names == ("B02", "B03", "B04", "B08")
    again, kept = scaling.load_split(settings, made)
    assert kept is made
    np.testing.assert_array_equal(again.test.images, divided.test.images)


def test_bands_in_another_order_are_the_same_samples(tmp_path):
    source = raster_folder(tmp_path / "images", 4)
    settings = DataConfig(source=str(source), cache_dir=str(tmp_path / "cache"), image_size=16)
    every = sources.load(settings)
    some = sources.load(replace(settings, bands=("B08", "B02")))
    np.testing.assert_array_equal(some.images, every.images[..., [3, 0]])
    assert some.bands == Bands(("B08", "B02"), (3, 0), 4)
    again = sources.load(replace(settings, bands=("B08", "B02")))  # from the cache
    assert again.bands == some.bands
    assert again.images.dtype == np.uint16


def test_plain_pictures_need_no_scaling():
    picture = ImageSet(uniform(0, 256, np.uint8, 3), np.zeros(6, np.int32), ("",) * 6, ("a",))
    assert scaling.is_plain(scaling.decide(picture, DataConfig()))
    assert not scaling.is_plain(decide(uniform(0, 256, np.uint8, 3)))
    assert not scaling.is_plain(decide(uniform(0, 4096, np.uint16, 3)))


@pytest.mark.skipif(not CASES.exists(), reason="the failing inputs are not at ../shared/cases")
def test_case_of_12_bits_in_16(tmp_path, caplog):
    settings = DataConfig(source=str(CASES / "sentinel_12bit_rgb_tiff" / "tif"), cache_dir=str(tmp_path))
    found = sources.load(settings)
    with caplog.at_level(logging.WARNING, "keras_satkd"):
        codes = scaling.scaled(found, scaling.decide(found, settings)).images
    assert "0..4095 (the training images use 12 of 16 bits)" in caplog.text
    jpeg = CASES / "sentinel_12bit_rgb_tiff" / "jpeg"
    for file, image in zip(found.files, codes, strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(jpeg / file.replace(".tif", ".jpg"))))
