import numpy as np
import pytest

from firmware_export.common.errors import UserError
from firmware_export.images import reading
from firmware_export.images.image_set import Bands
from firmware_export.images.reading import EmptySamplesError, Reading
from firmware_export.images.samples import Samples

RANDOM = np.random.default_rng(1)


def raster(*shape, dtype=np.uint16, **others):
    return Samples(RANDOM.integers(0, 250, shape).astype(dtype), **others)


def arrays(how, found, file="a.tif"):
    return {suffix: how.array(piece, file) for suffix, piece in how.cut(found, file)}


def test_bands_are_chosen_by_name_or_number_in_their_order():
    found = raster(8, 8, 4, band_names=("B02", "B03", "B04", "B08"))
    how = reading.of_first(found, (8, 8), bands=("B04", "b03", "1"))
    assert how.bands == Bands(("B04", "B03", "B02"), (2, 1, 0), 4)
    assert (how.channels, how.dtype) == (3, "uint16")
    np.testing.assert_array_equal(arrays(how, found)[""], found.pixels[..., [2, 1, 0]])


@pytest.mark.parametrize("bands", [(), ("B04", "B03", "B02")])
def test_files_with_their_bands_in_another_order_are_refused(bands):
    first, second = (raster(8, 8, 3, band_names=names) for names in (("B04", "B03", "B02"), ("B02", "B03", "B04")))
    how = reading.of_first(first, (8, 8), bands=bands)
    arrays(how, first)
    arrays(how, raster(8, 8, 3))  # a file without names
    with pytest.raises(UserError, match=r"a\.tif has bands B02, B03, B04 where the set's first image has B04"):
        arrays(how, second)
    stated = reading.of_first(first, (8, 8), names=("red", "green", "blue"))
    arrays(stated, second)  # the user's word


def test_all_bands_are_the_default_and_a_single_one_is_repeated():
    assert reading.of_first(raster(8, 8, 5), (8, 8)).bands == Bands(("1", "2", "3", "4", "5"), (0, 1, 2, 3, 4), 5)
    assert reading.of_first(raster(8, 8, 1), (8, 8)).bands == Bands(("1",) * 3, (0, 0, 0), 1)
    assert reading.of_first(raster(8, 8, 1), (8, 8), bands=("1",)).channels == 1
    assert reading.of_first(raster(8, 8, 1), (8, 8), channels=1).channels == 1


def test_a_picture_is_rgb_unless_its_bands_are_asked_for():
    picture = raster(8, 8, 4, dtype=np.uint8, is_picture=True)
    assert reading.of_first(picture, (8, 8)) == Reading(8, 8, 3)
    np.testing.assert_array_equal(arrays(Reading(8, 8, 3), picture)[""], picture.pixels[..., :3])
    four = reading.of_first(picture, (8, 8), bands=("1", "2", "3", "4"))
    np.testing.assert_array_equal(arrays(four, picture)[""], picture.pixels)


def test_a_picture_gives_a_model_as_many_bands_as_it_takes():
    with_alpha, color, gray = (raster(8, 8, bands, dtype=np.uint8, is_picture=True) for bands in (4, 3, 1))
    four = reading.of_first(with_alpha, (8, 8), channels=4)
    np.testing.assert_array_equal(arrays(four, with_alpha)[""], with_alpha.pixels)
    with pytest.raises(UserError, match=r"a\.tif has 3 bands, 4 expected"):
        arrays(four, color)
    for channels in (2, 4):
        np.testing.assert_array_equal(
            arrays(reading.of_first(gray, (8, 8), channels=channels), gray)[""], gray.pixels.repeat(channels, axis=2)
        )
    with pytest.raises(
        UserError, match=r"the images have 3 bands \(1, 2, 3\), the model takes 4 channels: give images"
    ):
        reading.of_first(color, (8, 8), channels=4)
    with pytest.raises(UserError, match=r"have 3 bands \(1, 2, 3\), the model takes 2 channels: choose 2 bands"):
        reading.of_first(color, (8, 8), channels=2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bands": ("B9",)}, "unknown band 'B9'"),
        ({"bands": ("0",)}, "unknown band '0'"),
        ({"bands": ("1", "1")}, "gives a band twice"),
        ({"names": ("a", "b")}, "gives 2 names, the images have 4 bands"),
        ({"channels": 3}, r"the images have 4 bands \(1, 2, 3, 4\), the model takes 3 channels: .*--data.bands"),
    ],
)
def test_bands_that_do_not_serve(given, message):
    with pytest.raises(UserError, match=message):
        reading.of_first(raster(8, 8, 4), (8, 8), **given)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (raster(8, 8, 3), "b.tif has 3 bands, 4 expected, as in the set's first image"),
        (raster(8, 8, 1), "b.tif has 1 band, 4 expected"),
        (raster(8, 8, 4, dtype=np.uint8), "b.tif has uint8 samples, uint16 expected"),
        (raster(8, 8, 4, dtype=np.float32), "b.tif has float32 samples, uint16 expected"),
        (raster(9, 8, 4), "b.tif is 8x9, of another aspect ratio than 8x8: give --data.fit crop"),
    ],
)
def test_images_that_differ_from_the_first(found, message):
    how = reading.of_first(raster(8, 8, 4), (8, 8), fit="refuse")
    with pytest.raises(UserError, match=message):
        arrays(how, found, "b.tif")


def test_a_raster_among_pictures_is_refused():
    with pytest.raises(UserError, match=r"has 1 band of uint16 samples, where the set's first image is an ordinary"):
        arrays(Reading(8, 8, 3), raster(8, 8, 1))


def test_the_middle_is_cropped_or_everything_squashed():
    wide = Samples(np.repeat(np.arange(12, dtype=np.uint16)[None, :, None], 6, axis=0))
    bands = Bands(("1",), (0,), 1)
    cropped = arrays(Reading(6, 6, 1, bands, "uint16", fit="crop"), wide)[""]
    np.testing.assert_array_equal(cropped[0, :, 0], [3, 4, 5, 6, 7, 8])
    squashed = arrays(Reading(6, 6, 1, bands, "uint16", fit="squash"), wide)[""]
    assert (squashed[0, 0, 0], squashed[0, -1, 0]) == (1, 10)
    low = Reading(3, 6, 1, bands, "uint16", fit="crop")
    assert arrays(low, wide)[""].shape == (3, 6, 1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_resizing_keeps_type_and_level(dtype):
    flat = Samples(np.full((20, 20, 5), 200, dtype))
    how = reading.of_first(flat, (8, 8))
    array = arrays(how, flat)[""]
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, np.full((8, 8, 5), 200))


def test_tiles_are_named_by_their_place():
    found = raster(20, 40, 2)
    how = reading.of_first(found, (8, 8), tile=8, fit="refuse")
    tiles = arrays(how, found)
    assert list(tiles) == [f"#{row},{column}" for row in (0, 8) for column in (0, 8, 16, 24, 32)]
    np.testing.assert_array_equal(tiles["#8,16"], found.pixels[8:16, 16:24])
    with pytest.raises(UserError, match=r"is 5x5, smaller than a tile of 8"):
        arrays(how, raster(5, 5, 2))


def test_a_raster_needs_tiles():
    large = Samples(np.zeros((8193, 8193, 1), np.uint8), is_picture=True)
    with pytest.raises(UserError, match=r"s.tif is a raster of 8193x8193 pixels.*--data.tile 64"):
        arrays(Reading(64, 64, 3), large, "s.tif")


def test_samples_that_hold_nothing_are_refused_skipped_or_filled():
    pixels = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
    pixels[0, 0], pixels[0, 1] = np.nan, -1
    found = Samples(pixels, nodata=-1)
    bands = Bands(("1",), (0,), 1)
    with pytest.raises(UserError, match=r"a.tif has 2 samples that are NaN, infinite or nodata \(-1\): .*skip.*fill"):
        arrays(Reading(4, 4, 1, bands, "float32"), found)
    with pytest.raises(EmptySamplesError, match="2 samples are NaN"):
        arrays(Reading(4, 4, 1, bands, "float32", nodata="skip"), found)
    filled = arrays(Reading(4, 4, 1, bands, "float32", nodata="fill"), found)[""]
    assert filled[0, 0, 0] == filled[0, 1, 0] == 8
    np.testing.assert_array_equal(filled[1:], pixels[1:])
    nothing = Samples(np.full((4, 4, 1), np.nan, np.float32))
    with pytest.raises(EmptySamplesError):
        arrays(Reading(4, 4, 1, bands, "float32", nodata="fill"), nothing)


@pytest.mark.parametrize("value", [-9999, -32768, np.finfo(np.float32).min])
def test_usual_values_of_nodata_need_not_be_stated(value):
    pixels = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
    pixels[0, 0] = value
    with pytest.raises(UserError, match=r"has 1 samples that are NaN, infinite or nodata \(-9999 or the lowest"):
        arrays(Reading(4, 4, 1, Bands(("1",), (0,), 1), "float32"), Samples(pixels))
    pixels[0, 0] = -1
    arrays(Reading(4, 4, 1, Bands(("1",), (0,), 1), "float32"), Samples(pixels))


def test_nodata_of_a_picture_is_seen_too():
    picture = Samples(np.zeros((4, 4, 3), np.uint8), is_picture=True, nodata=0)
    with pytest.raises(UserError, match="48 samples"):
        arrays(Reading(4, 4, 3), picture)


def test_whole_numbers_become_integers():
    whole = np.array([[0.0, 4095.0]], np.float32)
    assert reading.whole_numbers(whole).dtype == np.uint16
    for kept in ([[0.0, 0.5]], [[0.0, 1.0]], [[-1.0, 3.0]], [[0.0, 70_000.0]]):
        assert reading.whole_numbers(np.array(kept, np.float32)).dtype == np.float32
