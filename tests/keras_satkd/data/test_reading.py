import logging

import numpy as np
import pytest
from rasters import geotiff, raster_folder

from firmware_export.common.errors import UserError
from keras_satkd.data import reading, sources
from keras_satkd.settings.data_config import DataConfig


@pytest.fixture
def settings(tmp_path):
    def make(**others):
        values = {"source": str(tmp_path / "images"), "cache_dir": str(tmp_path / "cache"), "image_size": 16}
        return DataConfig(**{**values, **others})

    return make


@pytest.mark.parametrize(
    ("names", "given", "expected"),
    [
        (("B02", "B03", "B04", "B08"), (), (2, 1, 0)),
        (("red", "nir", "Blue", "GREEN"), (), (0, 3, 2)),
        (("1", "2", "3", "4"), (), None),
        (("1", "2", "3", "4"), ("3", "2", "1"), (2, 1, 0)),
        (("1", "2", "3"), (), (0, 1, 2)),
        (("B08", "B04", "B03"), (), None),
        (("gray",), (), (0, 0, 0)),
        (("a", "b", "c"), ("c", "b", "a"), (2, 1, 0)),
    ],
)
def test_red_green_and_blue_are_found_by_name(names, given, expected):
    assert reading.rgb_of(names, DataConfig(rgb=given)) == expected


@pytest.mark.parametrize(
    ("given", "message"), [(("1", "2"), "give the red, the green and the blue"), (("1", "2", "9"), "unknown band '9'")]
)
def test_bands_that_are_no_colors(given, message):
    with pytest.raises(UserError, match=message):
        reading.rgb_of(("1", "2", "3", "4"), DataConfig(rgb=given))


def test_names_of_bands_can_be_given(tmp_path, settings):
    raster_folder(tmp_path / "images", 3, names=())
    found = sources.load(settings(band_names=("B02", "B03", "B04", "B08"), bands=("B08", "B04")))
    assert found.channel_names == ("B08", "B04")


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((16, 16, 3), np.uint16), "River/9.tif has 3 bands, 4 expected"),
        (np.zeros((16, 20, 4), np.uint16), "River/9.tif is 20x16, of another aspect ratio"),
        (np.full((16, 16, 4), 7, np.uint16), "River/9.tif has 1024 samples that are .* nodata"),
        (np.full((9000, 9000, 1), 7, np.uint8), "River/9.tif is a raster of 9000x9000 pixels"),
    ],
    ids=["bands", "shape", "nodata", "raster"],
)
def test_files_that_do_not_fit_are_one_line(tmp_path, settings, pixels, message):
    folder = raster_folder(tmp_path / "images", 3)
    (folder / "River" / "9.tif").write_bytes(geotiff(pixels, nodata=7, compression="zlib"))
    with pytest.raises(UserError, match=message) as raised:
        sources.load(settings())
    assert "\n" not in str(raised.value)
    assert not list((tmp_path / "cache").glob("*.npy"))


def test_a_raster_is_cut_into_tiles(tmp_path, settings, caplog):
    folder = raster_folder(tmp_path / "images", 2, size=40)
    with caplog.at_level(logging.WARNING, "keras_satkd"):
        found = sources.load(settings(tile=16))
    assert len(found) == 2 * 2 * 4
    assert found.files[:2] == ("Forest/0.tif#0,0", "Forest/0.tif#0,16")
    assert "4 images (40x40) are cut into 16 tiles of 16x16 pixels" in caplog.text
    assert folder.exists()


def test_a_fourth_channel_is_told(tmp_path, settings, caplog):
    for name in ("Forest", "River"):
        (tmp_path / "images" / name).mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 255, (16, 16, 4), np.uint8)
        content = geotiff(pixels, photometric="rgb", extrasamples=["unassalpha"])
        (tmp_path / "images" / name / "1.tif").write_bytes(content)
    assert sources.load(settings()).images.shape[-1] == 3
    assert "2 pictures have a fourth channel, which is not used" in caplog.text
    assert sources.load(settings(bands=("1", "2", "3", "4"))).images.shape[-1] == 4


def test_a_change_of_size_is_one_line(tmp_path, settings, caplog):
    raster_folder(tmp_path / "images", 2, size=20)
    sources.load(settings())
    assert "images are 20x20: all are resized to 16x16" in caplog.text
    caplog.clear()
    sources.load(settings(image_size=20))
    assert "resized" not in caplog.text
