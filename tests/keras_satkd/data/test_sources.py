import dataclasses
import io
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firmware_export.common.errors import UserError
from keras_satkd.config import DataConfig
from keras_satkd.data import sources

EUROSAT = Path(__file__).parents[3] / "shared" / "eurosat" / "EuroSAT_RGB.zip"
SIX = {f"{name}/{index}.png": 20 * index for name in ("Forest", "River") for index in range(3)}


@pytest.fixture
def settings(tmp_path):
    def make(source, **others):
        return DataConfig(source=str(source), cache_dir=str(tmp_path / "cache"), image_size=8, **others)

    return make


def test_folder_and_zip_of_it_give_the_same_images_and_split(image_folder, image_zip, settings):
    wrapped = {f"EuroSAT_RGB/{name}": shade for name, shade in SIX.items()}
    one, other = sources.load(settings(image_folder(SIX))), sources.load(settings(image_zip(wrapped)))
    assert one.files == other.files == tuple(SIX)
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_array_equal(one.labels, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(one.images[:, 0, 0, 0], [0, 20, 40] * 2)
    assert sources.split(one, settings("")).sha256 == sources.split(other, settings("")).sha256


def test_changed_folder_is_read_again(image_folder, settings):
    folder = image_folder(SIX)
    sources.load(settings(folder))
    (folder / "River" / "2.png").unlink()
    assert len(sources.load(settings(folder))) == 5


def test_folder_wins_over_a_tfds_name(image_folder, settings, monkeypatch):
    folder = image_folder(SIX, "mnist")
    monkeypatch.chdir(folder.parent)
    assert sources.load(settings("mnist")).class_names == ("Forest", "River")


def test_unreadable_images_are_skipped_with_a_count(image_folder, settings, caplog):
    folder = image_folder({**SIX, "Forest/8.jpg": b"\xff\xd8\xff", "Forest/9.jpg": b""})
    for _ in range(2):  # from the files, then from the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING, "keras_satkd"):
            assert sources.load(settings(folder)).files == tuple(SIX)
        assert "2 unreadable images skipped, the first is Forest/8.jpg" in caplog.text


@pytest.mark.parametrize("before", [False, True], ids=["from the files", "from the cache"])
def test_unreadable_image_is_an_error_when_strict(image_folder, settings, before):
    folder = image_folder({**SIX, "Forest/8.jpg": b"\xff\xd8\xff"})
    if before:
        sources.load(settings(folder))
    with pytest.raises(UserError, match=r"1 unreadable image, the first is Forest/8\.jpg.*mend or remove"):
        sources.load(settings(folder, strict=True))


def test_nothing_readable_is_an_error(image_folder, settings):
    with pytest.raises(UserError, match="none of its 6 unreadable images can be decoded"):
        sources.load(settings(image_folder(dict.fromkeys(SIX, b"text"))))


def test_unlike_sizes_are_said(image_folder, settings, caplog):
    stream = io.BytesIO()
    Image.new("RGB", (20, 10)).save(stream, "PNG")
    sources.load(settings(image_folder({**SIX, "River/wide.png": stream.getvalue()})))
    assert "images have 2 sizes (8x8, 20x10): all are resized to 8x8" in caplog.text


@pytest.mark.parametrize(
    "source",
    [
        "",
        "EuroSAT_RGB.zip",
        "data/EuroSAT_RGB.ZIP",
        "./images",
        "/no/images",
        "~nobody/x",
        "a/b/c",
        "data/set.d",
        r"C:\x",
    ],
)
def test_path_that_does_not_exist(source, settings):
    with pytest.raises(UserError, match="no such folder or zip"):
        sources.load(settings(source))


def test_images_that_do_not_fit_into_memory(image_folder, settings):
    huge = dataclasses.replace(settings(image_folder(SIX)), image_size=10_000_000)
    with pytest.raises(UserError, match=r"6 images at 10000000x10000000 need .* GiB of memory"):
        sources.load(huge)


def test_synthetic_scenes_are_kept(settings):
    first = sources.load(settings("synthetic", synthetic_images=30))
    again = sources.load(settings("synthetic", synthetic_images=30))
    assert isinstance(again.images, np.memmap)
    np.testing.assert_array_equal(first.images, again.images)
    assert len(sources.load(settings("synthetic", synthetic_images=40, seed=1))) == 40


def test_tensorflow_is_not_imported_for_files(image_folder, tmp_path):
    code = (
        "import sys; from keras_satkd.data import sources; from keras_satkd.config import DataConfig; "
        f"sources.load(DataConfig(source={str(image_folder(SIX))!r}, cache_dir={str(tmp_path / 'cache')!r})); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.skipif(not EUROSAT.exists(), reason="EuroSAT's archive is not at ../shared/eurosat/EuroSAT_RGB.zip")
def test_eurosats_archive_as_it_is(tmp_path):
    settings = DataConfig(source=str(EUROSAT), cache_dir=str(tmp_path))
    image_set = sources.load(settings)
    assert len(image_set.class_names) == 10
    assert image_set.images.shape[1:] == (64, 64, 3)
    assert image_set.files[0].startswith("AnnualCrop/AnnualCrop_")
    parts = sources.split(image_set, settings)
    assert len(parts.test) == pytest.approx(0.2 * len(image_set), abs=10)
    assert len(parts.validation) == pytest.approx(0.1 * len(image_set), abs=10)
