import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from firmware_export.common.errors import UserError
from firmware_export.images.folders import find_images, is_folder_or_zip, open_images

TWO_CLASSES = {"Forest/1.png": 10, "Forest/2.png": 11, "River/1.png": 12}
EMPTY = {"set/Lake/notes.txt": b"text", "set/Snow/deep/notes.txt": b"text"}
NAMES = ["Forest/1.png", "Forest/2.png", "River/1.png"]


def names(found):
    return [image.file for image in found.images]


@pytest.fixture(params=["folder", "zip"])
def make(request, image_folder, image_zip):
    return image_folder if request.param == "folder" else image_zip


@pytest.mark.parametrize("wrapping", ["", "EuroSAT_RGB/", "2750/", "a/b/c/"])
def test_wrapping_folders_are_passed_over(make, wrapping):
    found = open_images(make({wrapping + name: shade for name, shade in TWO_CLASSES.items()}))
    assert names(found) == NAMES
    assert found.class_names == ("Forest", "River")
    assert [image.label for image in found.images] == [0, 0, 1]
    assert found.images[0].read().startswith(b"\x89PNG")


def test_what_is_no_image_is_ignored(make):
    rest = ["README.txt", "Forest/README.txt", ".DS_Store", "Forest/.a.png", ".git/x/1.png", "__MACOSX/Forest/._1.png"]
    rest += [".ipynb_checkpoints/1.png", "Forest/.ipynb_checkpoints/1-checkpoint.png", "River/._1.png"]
    found = open_images(make({**TWO_CLASSES, **dict.fromkeys(rest, b"text")}))
    assert names(found) == NAMES


def test_images_beside_the_class_folders_have_no_class(make, caplog):
    assert names(open_images(make({**TWO_CLASSES, "overview.png": 3}))) == NAMES
    assert "1 images are in no class folder and not used, such as overview.png" in caplog.text


def test_folders_inside_a_class_belong_to_it(make):
    found = open_images(make({**TWO_CLASSES, "Forest/2019/July/9.PNG": 3}))
    assert names(found) == ["Forest/1.png", "Forest/2.png", "Forest/2019/July/9.PNG", "River/1.png"]
    assert [image.label for image in found.images] == [0, 0, 0, 1]


def test_parts_of_a_divided_set_are_put_together(make):
    found = open_images(make({f"set/{part}/{name}": 1 for part in ("train", "Test") for name in NAMES}))
    assert found.class_names == ("Forest", "River")
    assert names(found)[0] == "Test/Forest/1.png"
    assert len(found.images) == 6


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({}, "contains no images"),
        ({"README.txt": b"x"}, "contains no images"),
        ({"1.png": 1, "2.png": 2}, "no class folders"),
        ({"Forest/1.png": 1, "Forest/2.png": 2}, r"only one class \('Forest'\)"),
        ({"set/Forest/1.png": 1}, r"only one class \('Forest'\)"),
        ({"train/Forest/1.png": 1, "test/Forest/1.png": 1}, r"only one class \('Forest'\)"),
    ],
)
def test_layout_without_classes_is_explained(make, contents, message):
    with pytest.raises(UserError, match=message) as raised:
        open_images(make(contents))
    assert "one subfolder per class" in str(raised.value)


def test_odd_names_are_class_names(make):
    odd = {"Wald & Wiese.v2/1.png": 1, "Straße 1.png/2.png": 2, "-/3.png": 3}
    assert open_images(make(odd)).class_names == ("-", "Straße 1.png", "Wald & Wiese.v2")


def test_folders_without_images_are_no_classes_with_a_warning(make, caplog):
    found = open_images(make({f"set/{name}": shade for name, shade in TWO_CLASSES.items()} | EMPTY))
    assert found.class_names == ("Forest", "River")
    assert [record.getMessage().split(": ")[1:] for record in caplog.records] == [
        ["folders without images are not used as classes", "set/Lake, set/Snow"]
    ]


def test_a_set_without_empty_folders_warns_of_nothing(make, caplog):
    open_images(make({**TWO_CLASSES, "Forest/notes/a.txt": b"", "docs.txt": b"", ".git/a.txt": b""}))
    assert not caplog.records


def test_parts_are_told(make):
    assert open_images(make({f"set/{part}/{name}": 1 for part in ("train", "Test") for name in NAMES})).parts == (
        "Test",
        "train",
    )


def test_each_image_of_a_split_set_has_its_part(make):
    folders = {"train_images": "train", "Dev": "validation", "TestSet": "test"}
    found = open_images(make({f"set/{folder}/{name}": 1 for folder in folders for name in NAMES}))
    assert {image.file: image.part for image in found.images} == {
        f"{folder}/{name}": part for folder, part in folders.items() for name in NAMES
    }


def test_an_undivided_set_has_no_parts(make):
    found = open_images(make({f"validation/{name}": 1 for name in NAMES}))
    assert found.parts == ()
    assert {image.part for image in found.images} == {None}


def test_parts_below_the_class_folders(make):
    found = open_images(make({f"{name}/{part}/1.png": 1 for name in ("a", "b") for part in ("train", "test")}))
    assert found.class_names == ("a", "b")
    assert {image.file: image.part for image in found.images}["a/test/1.png"] == "test"
    some = open_images(make({"a/train/1.png": 1, "b/1.png": 1}, "some.zip"))
    assert some.parts == ()


@pytest.mark.parametrize("other", ["holdout/a/1.png", "unlabelled/1.png"])
def test_parts_beside_a_folder_that_is_none(make, other):
    files = [f"{part}/{name}/1.png" for part in ("train", "val") for name in ("a", "b")]
    with pytest.raises(UserError, match=r"has train, val like a data set that comes split, and '(holdout|unlabelled)'"):
        open_images(make({file: 1 for file in (*files, other)}))
    with pytest.raises(UserError, match="has train like a data set that comes split, and 'extra'"):
        open_images(make({f"{part}/{name}/1.png": 1 for part in ("train", "extra") for name in ("a", "b")}, "two.zip"))


def test_a_class_beside_names_of_parts_is_a_class(make):
    found = open_images(make({"train/1.png": 1, "tram/1.png": 2}))
    assert found.class_names == ("train", "tram")


def test_images_are_found_without_classes(make):
    found = find_images(make({"b.png": 1, "deep/er/a.png": 2, ".c.png": 3}))
    assert sorted(found.readers) == ["b.png", "deep/er/a.png"]
    assert found.folders == {"deep", "deep/er"}


def test_what_find_images_reads(image_folder, image_zip, tmp_path):
    np.savez(tmp_path / "arrays.npz", images=np.zeros(3))
    (tmp_path / "cut.zip").write_bytes(b"PK")
    shutil.copy(image_zip(TWO_CLASSES), tmp_path / "without_ending")
    for name in ("images.zip", "cut.zip", "without_ending", "."):
        assert is_folder_or_zip(tmp_path / name)
    for name in ("arrays.npz", "absent.zip"):
        assert not is_folder_or_zip(tmp_path / name)


def test_zip_cut_short(image_zip):
    path = image_zip(TWO_CLASSES)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="not a complete zip: download it again"):
        open_images(path)


def test_file_that_is_no_zip(tmp_path):
    path = tmp_path / "EuroSAT.tar.gz"
    path.write_bytes(b"\x1f\x8b")
    with pytest.raises(UserError, match=r"EuroSAT\.tar\.gz is not a complete zip"):
        open_images(path)


def test_zip_whose_names_begin_with_a_dot_or_a_slash(tmp_path):
    for start in ("./", "/"):
        path = tmp_path / "made_here.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in NAMES:
                archive.writestr(start + name, b"x")
        assert names(open_images(path)) == NAMES


def test_folder_in_a_zip_is_no_image(tmp_path):
    path = tmp_path / "folders.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (*NAMES, "Forest/deep.png/", "Snow/"):
            archive.writestr(name, b"" if name.endswith("/") else b"x")
    assert names(open_images(path)) == NAMES
    assert "Snow" in find_images(path).folders


def test_zip_written_with_backslashes(tmp_path):
    path = tmp_path / "windows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in NAMES:
            archive.writestr(zipfile.ZipInfo("set\\" + name.replace("/", "\\")), b"x")
    assert names(open_images(path)) == NAMES


def test_links_are_followed_and_circles_end(image_folder, tmp_path):
    inner = image_folder(TWO_CLASSES, "elsewhere")
    outer = image_folder({"Sea/1.png": 1})
    (outer / "Forest").symlink_to(inner / "Forest")
    (outer / "Sea" / "circle").symlink_to(outer)
    (outer / "Sea" / "lost.png").symlink_to(tmp_path / "nowhere")
    found = open_images(outer)
    assert found.class_names == ("Forest", "Sea")
    assert names(found) == ["Forest/1.png", "Forest/2.png", "Sea/1.png"]


def test_a_folder_has_its_own_name_where_links_lead_to_it_too(image_folder):
    folder = image_folder({"River/1.png": 1, "Sea/1.png": 2})
    (folder / "A link").symlink_to(folder / "River")
    (folder / "Sea" / "another").symlink_to(folder / "River")
    assert names(open_images(folder)) == ["River/1.png", "Sea/1.png"]


def test_hidden_folders_are_not_entered(image_folder, monkeypatch):
    folder = image_folder({**TWO_CLASSES, ".Trashes/1.png": 1})

    def scandir(path, scan=os.scandir):
        if Path(path).name == ".Trashes":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(open_images(folder)) == NAMES


def test_fingerprint_follows_the_files(image_folder):
    folder = image_folder(TWO_CLASSES)
    before = open_images(folder).fingerprint
    assert open_images(folder).fingerprint == before
    (folder / "River" / "1.png").write_bytes(b"longer")
    assert open_images(folder).fingerprint != before


def test_sizes_are_known_before_a_file_is_read(image_folder, image_zip, monkeypatch):
    contents = {"Forest/1.png": b"x" * (3 << 20), "River/1.png": b"y"}
    monkeypatch.setenv("SATKD_MAX_IMAGE_MIB", "2")
    for path in (image_folder(contents), image_zip(contents)):
        found = open_images(path)
        assert [image.read.size for image in found.images] == [3 << 20, 1]
        with pytest.raises(ValueError, match="the file takes 3 MiB, more than 2"):
            found.images[0].read()
        assert found.images[1].read() == b"y"
