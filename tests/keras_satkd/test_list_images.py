import csv
import shutil

import numpy as np
import pytest
from rasters import raster_folder

from firmware_export.images.image_set import PARTS
from keras_satkd import list_images
from keras_satkd.data import scaling
from keras_satkd.data.sources import load
from keras_satkd.data.splits import split
from keras_satkd.settings.data_config import DataConfig


@pytest.fixture
def source(image_folder):
    return image_folder({f"{name}/{number}.png": 9 * number for name in ("Lake", "Forest") for number in range(8)})


def listed(call_in_process, source, out):
    words = ("--data", source, "--data.image-size", 8, "--out", out, "-q")
    code, printed, error = call_in_process(list_images.main, "list_images", *words)
    assert code == 0, error
    return printed


def test_names_are_those_of_the_data(source, call_in_process, tmp_path):
    printed = listed(call_in_process, source, tmp_path / "images.csv")
    assert "16 names, 2 classes" in printed
    with (tmp_path / "images.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    settings = DataConfig(source=str(source), image_size=8)
    images = load(settings)
    divided = split(images, settings)
    assert [row["name"] for row in found] == list(images.files)
    assert [row["class"] for row in found] == [images.class_names[label] for label in images.labels]
    for part in PARTS:
        assert sorted(row["name"] for row in found if row["part"] == part) == sorted(getattr(divided, part).files)


def test_pixels_are_those_of_the_student(source, call_in_process, tmp_path):
    listed(call_in_process, source, tmp_path / "images.npz")
    images = load(DataConfig(source=str(source), image_size=8))
    with np.load(tmp_path / "images.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["images"], images.images)
        np.testing.assert_array_equal(arrays["labels"], images.labels)
        assert tuple(arrays["names"]) == images.files
        assert tuple(arrays["class_names"]) == images.class_names
        assert set(arrays["parts"]) == set(PARTS)


def test_samples_become_the_codes_of_the_student(call_in_process, tmp_path):
    source = raster_folder(tmp_path / "scenes", 8, size=8)
    listed(call_in_process, source, tmp_path / "images.npz")
    settings = DataConfig(source=str(source), image_size=8)
    divided, scaled = scaling.load_split(settings)
    with np.load(tmp_path / "images.npz", allow_pickle=False) as arrays:
        assert arrays["images"].dtype == np.uint8
        np.testing.assert_array_equal(arrays["images"], scaled.codes(load(settings).images))
        assert tuple(arrays["bands"]) == divided.train.channel_names == ("B02", "B03", "B04", "B08")


def test_images_in_no_part_are_listed(source, call_in_process, tmp_path):
    for name in ("Lake", "Forest"):
        shutil.copy(source / name / "0.png", source / name / "again.png")
    words = ("--data", source, "--data.image-size", 8, "--data.deduplicate", "--data.seed", 3, "--out")
    code, _, error = call_in_process(list_images.main, "list_images", *words, tmp_path / "images.csv", "-q")
    assert code == 0, error
    with (tmp_path / "images.csv").open(newline="") as file:
        found = [row["part"] for row in csv.DictReader(file)]
    assert len(found) == 18
    assert "" in found


@pytest.mark.parametrize(
    ("words", "said"), [(("--out", "images.txt"), "ends in .csv or .npz"), (("--out", "a.csv"), "no such")]
)
def test_mistakes_write_nothing(words, said, call_in_process, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, error = call_in_process(list_images.main, "list_images", "--data", "./absent", *words)
    assert code == 2
    assert said in error
    assert not list(tmp_path.iterdir())
