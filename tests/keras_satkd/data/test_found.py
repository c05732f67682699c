import logging

import pytest

from firmware_export.common.errors import UserError
from keras_satkd.data import sources
from keras_satkd.data.found import check_classes
from keras_satkd.settings.data_config import DataConfig


@pytest.fixture
def load(tmp_path):
    def load_(*paths, **settings):
        settings = {"cache_dir": str(tmp_path / "cache"), "image_size": 8, **settings}
        return sources.load(DataConfig(source=tuple(map(str, paths)), **settings))

    return load_


def test_classes_of_the_same_name_become_one(image_folder, image_zip, load, caplog):
    one = image_folder({"Forest/1.png": 1, "River/1.png": 2, "River/2.png": 3}, "one")
    other = image_zip({"Sea/1.png": 4, "River/1.png": 5}, "other.zip")
    found = load(one, other)
    assert found.class_names == ("Forest", "River", "Sea")
    shades = {"one/Forest/1.png": 1, "one/River/1.png": 2, "one/River/2.png": 3, "other.zip/River/1.png": 5}
    assert dict(zip(found.files, found.images[:, 0, 0, 0], strict=True)) == shades | {"other.zip/Sea/1.png": 4}
    assert found.labels[found.files.index("other.zip/River/1.png")] == 1
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert f"{one} has no images of 1 of 3 classes: Sea" in messages
    assert f"{other} has no images of 1 of 3 classes: Forest" in messages


def test_a_set_of_one_class_can_be_merged(image_zip, load):
    found = load(image_zip({"Forest/1.png": 1}, "a.zip"), image_zip({"set/River/1.png": 1}, "b.zip"))
    assert found.class_names == ("Forest", "River")
    assert found.files == ("a.zip/Forest/1.png", "b.zip/River/1.png")


def test_sets_of_the_same_name_are_told_apart(image_folder, load, tmp_path):
    (tmp_path / "x").mkdir()
    one, other = (image_folder({"A/1.png": 1, "B/1.png": 1}, name) for name in ("set", "x/set"))
    assert len(set(load(one, other).files)) == 4


def test_parts_of_some_sets_only(image_folder, load):
    split = image_folder({f"{part}/{name}/1.png": 1 for part in ("train", "test") for name in "AB"}, "split")
    whole = image_folder({"A/1.png": 1, "B/1.png": 1}, "whole")
    with pytest.raises(UserError, match=r"split comes split, .*whole does not: use --data\.parts new"):
        load(split, whole)
    assert load(split, whole, parts="new").parts == ()


@pytest.mark.parametrize(
    ("names", "message"),
    [((), "--data names no images"), (("a", "a"), "a twice"), (("a", "eurosat/rgb"), "eurosat/rgb: no such folder")],
)
def test_sources_that_cannot_be_merged(names, message, image_folder, load, monkeypatch):
    monkeypatch.chdir(image_folder({"A/1.png": 1, "B/1.png": 1}, "a").parent)
    with pytest.raises(UserError, match=message):
        load(*names)


def test_classes_that_were_asked_for(image_folder, load):
    folder = image_folder({"Forest/1.png": 1, "Rivr/1.png": 1})
    assert len(load(folder, classes=("Rivr", "Forest"))) == 2
    with pytest.raises(UserError, match=r"class 'Rivr' is not among Forest, River: correct the labels, or --"):
        load(folder, classes=("Forest", "River"))
    with pytest.raises(UserError, match=r"class 'Sea' of --data\.classes has no images; Forest, Rivr"):
        load(folder, classes=("Forest", "Rivr", "Sea"))


@pytest.mark.parametrize(
    ("one", "other"), [("Forest", "forest"), ("For\u00eat", "Fore\u0302t"), ("1", "1.0"), ("07", "7"), ("sea", "sea ")]
)
def test_names_that_differ_only_in_their_spelling(one, other, caplog):
    check_classes((one, "River", other), (), "list.csv")
    assert f"classes {one!a} and {other!a} differ only in their spelling" in caplog.text


def test_names_that_differ(caplog):
    check_classes(("1", "10", "1e", "a1", "a 1"), (), "list.csv")
    assert not caplog.text
