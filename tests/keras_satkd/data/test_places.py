import logging

import numpy as np
import pytest
from rasters import coordinates, geotiff

from firmware_export.common.errors import UserError
from keras_satkd.data import sources
from keras_satkd.data.groups import on_sphere
from keras_satkd.settings.data_config import DataConfig

PIXELS = np.random.default_rng(0).integers(0, 4096, (64, 64, 4), np.uint16)


@pytest.fixture
def load(tmp_path):
    def load_(contents, **settings):
        for name, content in contents.items():
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        values = {
            "image_size": 16,
            "source": str(tmp_path / "images"),
            "cache_dir": str(tmp_path / "cache"),
            **settings,
        }
        settings = DataConfig(**values)
        return sources.load(settings), settings

    return load_


def scenes(count=12, **place):
    """Two classes of images in a row, 640 m apart; each has 64 pixels of 10 m."""
    return {
        f"{name}/{at}.tif": geotiff(
            PIXELS, tags=coordinates(500_000 + 640 * at, 5_000_000 - 6400 * (name == "B"), **place)
        )
        for name in "AB"
        for at in range(count)
    }


def test_centers_are_those_in_the_files(load):
    found, settings = load(scenes(), block=1280.0)
    assert found.files[1] == "A/1.tif"
    np.testing.assert_allclose(found.positions[[0, 1]], [(500_320, 4_999_680), (500_960, 4_999_680)])
    divided = sources.split(found, settings)
    for part in (divided.validation, divided.test):
        gaps = np.abs(divided.train.positions[:, np.newaxis] - part.positions).max(axis=2)
        assert gaps.min() > 640


def test_degrees_are_on_a_sphere(load):
    found, _ = load(
        {f"{name}/0.tif": geotiff(PIXELS, tags=coordinates(8.0, 50.0, 0.001, None)) for name in "AB"}, block=1.0
    )
    np.testing.assert_allclose(found.positions[:1], on_sphere(np.array([8.032]), np.array([49.968])))


def test_tiles_have_places_of_their_own(load):
    found, _ = load(scenes(1), block=320.0, tile=32)
    assert found.files[:4] == ("A/0.tif#0,0", "A/0.tif#0,32", "A/0.tif#32,0", "A/0.tif#32,32")
    wanted = [(500_160, 4_999_840), (500_480, 4_999_840), (500_160, 4_999_520), (500_480, 4_999_520)]
    np.testing.assert_allclose(found.positions[:4], wanted)


def test_a_rotated_grid(load):
    matrix = (0.0, 10.0, 0.0, 100.0, 10.0, 0.0, 0.0, 200.0, *(0.0,) * 4, *(0.0,) * 3, 1.0)
    tags = [(34264, "d", 16, matrix, True), (34735, "H", 4, (1, 1, 0, 0), True)]
    found, _ = load({f"{name}/0.tif": geotiff(PIXELS[:32], tags=tags) for name in "AB"}, block=1.0, fit="squash")
    np.testing.assert_allclose(found.positions[0], (100 + 160, 200 + 320))


def test_tiles_without_coordinates_are_split_by_pixels(load, caplog):
    images = {f"{name}/{at}.tif": geotiff(np.tile(PIXELS, (4, 4, 1))) for name in "AB" for at in range(2)}
    with caplog.at_level(logging.INFO, "keras_satkd"):
        found, settings = load(images, block=64.0, tile=16)
    assert "--data.block is in pixels of each image" in caplog.text
    divided = sources.split(found, settings)
    assert min(len(divided.train), len(divided.validation), len(divided.test)) > 0
    for part in (divided.validation, divided.test):
        gaps = np.abs(divided.train.positions[:, np.newaxis] - part.positions).max(axis=2)
        assert gaps.min() > 16


def test_tiles_of_an_image_stay_together(load, caplog):
    images = {f"{name}/{at}.tif": geotiff(PIXELS) for name in "AB" for at in range(8)}
    with caplog.at_level(logging.INFO, "keras_satkd"):
        found, settings = load(images, tile=16)
    assert "the tiles of an image are neighbors and stay in one part" in caplog.text
    divided = sources.split(found, settings)
    files = [{name.partition("#")[0] for name in names} for names in divided.file_list().values()]
    assert sum(map(len, files)) == len(set().union(*files)) == 16
    alone, settings = load(images, tile=16, group="none")
    assert alone.groups == ()
    by_name, _ = load(images, tile=16, group=r"\d")
    assert set(by_name.groups) == set("01234567")


def test_one_image_of_tiles_can_only_be_split_by_area(load):
    images = {f"{name}/0.tif": geotiff(PIXELS) for name in "AB"}
    with pytest.raises(
        UserError, match=r"class 'A' is in 1 group to split; .* smaller groups or blocks \(--data.block"
    ):
        sources.split(*load(images, tile=16))


def test_coordinates_that_are_not_used_are_told(load, caplog):
    load(scenes(3))
    assert (
        "the images have coordinates (EPSG:32632), and neighbors may be in different parts: --data.block" in caplog.text
    )
    caplog.clear()
    load(scenes(3), block=1.0)
    assert "neighbors may be" not in caplog.text


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (geotiff(PIXELS), "B/9.tif has no coordinates, A/0.tif has: --data.block needs those of all images"),
        (geotiff(PIXELS, tags=coordinates(0, 0, system=32633)), r"in 2 systems \(EPSG:32632, EPSG:32633\)"),
    ],
)
def test_places_that_cannot_be_compared(load, other, message):
    with pytest.raises(UserError, match=message) as raised:
        load({**scenes(2), "B/9.tif": other}, block=640.0)
    assert "\n" not in str(raised.value)


def test_images_without_coordinates_have_no_blocks(load):
    found, settings = load({f"{name}/{at}.tif": geotiff(PIXELS) for name in "AB" for at in range(3)}, block=10.0)
    with pytest.raises(UserError, match=r"needs the places of the images, .* does not tell: give GeoTIFFs with"):
        sources.split(found, settings)
