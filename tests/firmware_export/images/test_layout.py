import re
from pathlib import Path

import pytest

from firmware_export.common.errors import UserError
from firmware_export.images.layout import assigns_parts, class_level, part_level, part_of

SET = Path("set")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("train_images", "train"),
        ("val", "validation"),
        ("VALID", "validation"),
        ("dev-set", "validation"),
        ("test.data", "test"),
        ("Forest", None),
        ("trainstation", None),
        ("", None),
    ],
)
def test_names_of_parts(name, part):
    assert part_of(name) == part


def _images(*folders):
    return [f"{folder}/{number}.png" for folder in folders for number in range(2)]


def _crossed(outer, inner=("a", "b", "c")):
    return _images(*(f"{first}/{second}" for first in outer for second in inner))


@pytest.mark.parametrize(
    "outer",
    [
        ("seg_train", "seg_test"),
        ("eurosat_train", "eurosat_test"),
        ("train_64x64", "val_64x64"),
        ("Trainingsdaten", "Testdaten"),
        ("myTrain", "myTest"),
    ],
)
def test_parts_of_other_names_are_not_taken_for_classes(outer):
    with pytest.raises(
        UserError, match=r"have the same subfolders \(a, b, c\), like parts of a data set: name the parts"
    ):
        class_level(SET, _crossed(outer), 2)


@pytest.mark.parametrize("outer", [("fold1", "fold2", "fold3"), ("2019", "2020"), ("color", "grayscale", "segmented")])
def test_classes_with_the_same_folders_are_doubted(outer, caplog):
    assert class_level(SET, _crossed(outer), 2) == (0, 0)
    assert "have the same subfolders (a, b, c): if those are the classes" in caplog.text


@pytest.mark.parametrize(
    "images",
    [
        _images("Forest/2019", "Forest/2020", "River/2020"),  # not the same
        _images("Forest/2019", "River/2019"),  # one
        [*_crossed(("Forest", "River")), "Forest/1.png"],  # images beside the folders
        _crossed(("Forest", "River"), ("train", "test")),  # parts below the classes
    ],
)
def test_classes_with_folders_are_not_doubted(images, caplog):
    assert class_level(SET, images, 2) == (0, 0)
    assert not caplog.text


def test_parts_need_class_folders():
    with pytest.raises(UserError, match=r"set has no class folders in test, train: expected one subfolder per class"):
        class_level(SET, _images("train", "test"), 2)


def _levels(images):
    return part_level(SET, [image.split("/") for image in images], 0, 0)


def test_parts_below_classes():
    assert _levels(_crossed(("a", "b"), ("train", "test"))) == 1
    assert _levels(_crossed(("a", "b"), ("2019", "2020"))) is None
    assert _levels(_crossed(("a", "b"), ("train",))) is None


@pytest.mark.parametrize("other", ["a/preview.png", "a/holdout/1.png"])
def test_an_image_outside_the_parts_is_refused(other):
    images = [*_crossed(("a", "b"), ("train", "test")), other]
    with pytest.raises(UserError, match=rf"parts in its class folders \(test, train\).*\({re.escape(other)}\): move"):
        _levels(images)


def test_columns_that_say_of_which_part_an_image_is():
    names = (
        "is_train istest Is-Val is_validation is_valid train test_set split data_split set subset Partition fold kFold"
    )
    assert all(
        map(assigns_parts, [*names.split(), "cv_fold_1", "phase", "Usage", "train_or_test", "trainval", "holdout"])
    )
    others = "valid dataset path label party island sunset trainer folder testament settlement"
    assert not any(map(assigns_parts, others.split()))
