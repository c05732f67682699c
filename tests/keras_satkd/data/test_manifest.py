import numpy as np
import pytest

from firmware_export.common.errors import UserError
from keras_satkd.data import sources
from keras_satkd.data.groups import EARTH_RADIUS
from keras_satkd.data.manifest import open_manifest
from keras_satkd.settings.data_config import ColumnsConfig, DataConfig

FILES = {f"{index}.png": 10 * index for index in range(6)}


@pytest.fixture
def opened(image_folder):
    """Opens a manifest beside six images, of these lines and settings."""

    def open_(text, **settings):
        folder = image_folder(FILES)
        (folder / "list.csv").write_text(text)
        return open_manifest(folder / "list.csv", DataConfig(**settings))

    return open_


def lines(heading, *cells):
    return "\n".join([heading, *(f"{index}.png,{cell}" for index, cell in enumerate(cells))])


CLASSES = ("Forest", "River") * 3


def test_classes_parts_and_groups(opened):
    parts = ("train", "Val", "test_images") * 2
    cells = [f"{name},{part},scene{index % 2}" for index, (name, part) in enumerate(zip(CLASSES, parts, strict=True))]
    found = opened(lines("path,label,split,group", *cells))
    assert found.class_names == ("Forest", "River")
    assert [image.label for image in found.images] == [0, 1] * 3
    assert [image.part for image in found.images] == ["train", "validation", "test"] * 2
    assert found.has_parts
    assert found.groups["3.png"] == "scene1"
    assert found.images[2].read() == found.images[2].read.read_all()


def test_a_new_split_ignores_the_column(opened):
    found = opened(lines("file,class,split", *[f"{name},anything" for name in CLASSES]), parts="new")
    assert not found.has_parts


PHASES = lines("path,label,phase", "Forest,train", "Forest,test", "River,train", "River,val")


def test_a_column_of_parts_that_is_not_named_is_refused(opened):
    with pytest.raises(UserError, match=r"has parts in its column 'phase' \(test, train, val\): name it with --data"):
        opened(PHASES)


@pytest.mark.parametrize(
    ("text", "settings", "has_parts"),
    [
        (PHASES, {"parts": "new"}, False),
        (PHASES, {"columns": ColumnsConfig(split="phase")}, True),
        (lines("path,label,phase", *("Forest,train", "River,train") * 2), {}, False),
    ],
)
def test_a_column_of_parts_is_used_if_it_is_named(opened, text, settings, has_parts):
    assert opened(text, **settings).has_parts == has_parts


@pytest.mark.parametrize(
    ("column", "cells", "shown"),
    [
        ("is_train", ("1", "1", "0", "1"), "0, 1"),
        ("Is Validation", ("", "True", "", ""), "empty, True"),
        ("fold", ("4", "3", "2", "1"), "1, 2, 3"),
    ],
)
def test_a_column_is_of_parts_by_its_name(opened, column, cells, shown):
    message = (
        rf"parts in its column '{column}' \({shown}\): write train, validation or test into it and name it with --"
    )
    with pytest.raises(UserError, match=message):
        opened(lines(f"path,label,{column}", *[f"Forest,{cell}" for cell in cells]))


FOLDS = lines("path,label,fold", "Forest,0", "River,0", "Forest,1", "River,1")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (FOLDS, {"parts": "new"}),
        (FOLDS, {"group": "fold"}),
        (FOLDS, {"columns": ColumnsConfig(label="fold")}),
        (FOLDS, {"columns": ColumnsConfig(x="fold")}),
        (FOLDS.replace(",1", ",0"), {}),
        (FOLDS.replace(",1", ",").replace(",0", ","), {}),
    ],
    ids=["new", "group", "label", "place", "all the same", "empty"],
)
def test_a_column_of_such_a_name_may_serve_otherwise(opened, text, settings):
    assert not opened(text, **settings).has_parts


def test_beside_a_column_of_parts_others_are_ignored(opened):
    assert opened(lines("path,label,split,fold", "Forest,train,0", "River,test,1")).has_parts


def test_named_columns(opened):
    columns = ColumnsConfig(path="p", label="c", split="s")
    cells = [f"{name},train,0" for name in CLASSES]
    found = opened(lines("p,c,s,label", *cells), columns=columns)
    assert found.class_names == ("Forest", "River")
    assert found.has_parts


def test_a_column_that_looks_like_groups_can_be_ignored(opened):
    text = lines("file,class,scene", *[f"{name},one" for name in CLASSES])
    assert set(opened(text).groups.values()) == {"one"}


def test_no_groups(opened):
    assert opened(lines("file,class,scene", *[f"{name},one" for name in CLASSES]), group="none").groups == {}


def test_coordinates_in_meters_and_in_degrees(opened):
    cells = [f"{name},{100 * index},0" for index, name in enumerate(CLASSES)]
    assert opened(lines("file,class,x,y", *cells), block=200.0).positions["3.png"] == (300.0, 0.0)


def test_coordinates_in_degrees_are_on_a_sphere(opened):
    cells = [f"{name},90,0" for name in CLASSES]
    found = opened(lines("file,class,Longitude,Latitude", *cells), block=5.0).positions["0.png"]
    np.testing.assert_allclose(found, (0, EARTH_RADIUS, 0), atol=1e-9)


def test_files_elsewhere_have_names_that_do_not_depend_on_it(image_folder, tmp_path):
    folder = image_folder({f"Forest/{name}": 1 for name in FILES})
    (tmp_path / "lists").mkdir()
    rows = [f"{folder}/Forest/0.png,Forest", r"..\images\Forest\1.png,River"]
    (tmp_path / "lists" / "list.csv").write_text("\n".join(["path,class", *rows]))
    found = open_manifest(tmp_path / "lists" / "list.csv", DataConfig())
    assert [image.file for image in found.images] == ["0.png", "1.png"]


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (lines("file,kind", *CLASSES), {}, r"has no column 'label' among 'file', 'kind': name it with --data\.columns"),
        (lines("what,label", *CLASSES), {}, "has no column 'path' among 'what', 'label'"),
        ("file,label\n9.png,A\n0.png,B\n8.png,A", {}, r"do not exist \(2 files, the first is '9.png' in line 2\)"),
        (lines("file,label", "A", ""), {}, r"has images without a class \('' in line 3\): name one"),
        (lines("file,label,split", "A,train", "B,fold3"), {}, r"parts that are not known \('fold3' in line 3\)"),
        (lines("file,label,split", "A,train", "B,"), {}, "parts that are not known"),
        (lines("file,label,group", "A,one", "B,"), {}, "has images without a group"),
        ("file,label\n1.png,A\n./1.png,B", {}, r"lists 1\.png in line 2 and in line 3: keep one"),
        (lines("file,label,x", "A,1", "B,1"), {"block": 5.0}, r"has only one coordinate \('x'\), --data\.block needs"),
        (lines("file,label,x,y", "A,1,2", "B,1,far"), {"block": 5.0}, r"has no number in column 'y' \('far' in line 3"),
        (lines("file,label,lon,lat", "A,1,2", "B,1,91"), {"block": 5.0}, "no number from -90 to 90 in column 'lat'"),
        (lines("file,label,x,y", "A,1,2", "B,nan,2"), {"block": 5.0}, "has no number in column 'x'"),
    ],
)
def test_what_is_wrong_is_named(opened, text, settings, message):
    with pytest.raises(UserError, match=message):
        opened(text, **settings)


def test_a_manifest_is_read_like_a_folder(image_folder, tmp_path):
    shades = {f"{name}/{index}.png": 20 * index for name in ("Forest", "River") for index in range(4)}
    folder = image_folder(shades)
    rows = [f"{name},{name.split('/')[0]}" for name in reversed(shades)]
    (folder / "list.csv").write_text("\n".join(["file,class", *rows]))
    settings = {"cache_dir": str(tmp_path / "cache"), "image_size": 8}
    listed = DataConfig(source=str(folder / "list.csv"), **settings)
    inside = DataConfig(source=str(folder), **settings)
    parts = [sources.split(sources.load(each), each) for each in (listed, inside)]
    assert parts[0].sha256 == parts[1].sha256
    np.testing.assert_array_equal(parts[0].train.images, parts[1].train.images)


def test_a_changed_manifest_is_read_again(image_folder, tmp_path):
    folder = image_folder(FILES)
    settings = DataConfig(source=str(folder / "list.csv"), cache_dir=str(tmp_path / "cache"), image_size=8)
    (folder / "list.csv").write_text(lines("file,class", *CLASSES))
    assert sources.load(settings).labels.tolist() == [0, 1] * 3
    (folder / "list.csv").write_text(lines("file,class", *CLASSES[::-1]))
    assert sources.load(settings).labels.tolist() == [1, 0] * 3


def test_other_columns_give_other_labels_and_parts(image_folder, tmp_path):
    folder = image_folder(FILES)
    cells = [f"{name},{name[::-1]},{part}" for name, part in zip(CLASSES, ("train", "test") * 3, strict=True)]
    (folder / "list.csv").write_text(lines("file,a,b,split", *cells))

    def load(**settings):
        source, cache = str(folder / "list.csv"), str(tmp_path / "cache")
        return sources.load(DataConfig(source=source, cache_dir=cache, image_size=8, **settings))

    assert load(columns=ColumnsConfig(label="a")).class_names == ("Forest", "River")
    assert load(columns=ColumnsConfig(label="b")).class_names == ("reviR", "tseroF")
    assert load(columns=ColumnsConfig(label="a"), parts="new").parts == ()
    assert load(columns=ColumnsConfig(label="a")).parts == ("train", "test") * 3


@pytest.mark.parametrize("name", ["~nobody/1.png", "a\0b.png", "..png", "x" * 90])
def test_odd_names_are_missing_files_and_no_defects(opened, name):
    with pytest.raises(UserError, match="lists files that do not exist"):
        opened(f"file,class\n{name},A\n0.png,B")
