import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasters import geotiff, raster_folder

from firmware_export.common.errors import UserError
from firmware_export.images import samples
from firmware_export.images.image_set import Bands
from firmware_export.images.load import load_images, load_images_and_labels, load_labelled
from firmware_export.images.scaling import Scaling

CASES = Path(__file__).parents[4] / "shared" / "cases"
SIX = {f"{name}/{index}.png": 20 * index for name in ("Forest", "River") for index in range(3)}
HIDDEN = ("Forest/._0.png", ".ipynb_checkpoints/0-checkpoint.png", "__MACOSX/Forest/0.png", "notes.txt")
SHAPE = (8, 8, 3)


@pytest.fixture(params=["folder", "zip"])
def make(request, image_folder, image_zip):
    return image_folder if request.param == "folder" else image_zip


def shades(images):
    return images[:, 0, 0, 0].tolist()


def test_folder_is_searched_resized_and_spread(tmp_path):
    for index in range(10):
        folder = tmp_path / f"class_{index % 2}"
        folder.mkdir(exist_ok=True)
        Image.new("L" if index % 3 else "RGB", (20 + index, 9), color=index).save(folder / f"{index}.png")
    images = load_images(tmp_path, (8, 6, 3), 4)
    assert (images.shape, images.dtype) == ((4, 8, 6, 3), np.uint8)
    assert len(load_images(tmp_path, (8, 6, 1), 99)) == 10


def test_images_need_no_classes(make):
    assert shades(load_images(make({"a.png": 1, "b.png": 2}), SHAPE, 2)) == [1, 2]


def test_folders_named_as_classes_give_labels(make):
    path = make(SIX)
    for names, outputs, labels in (
        (("River", "Forest"), 2, [1, 1, 1, 0, 0, 0]),
        ((), 2, [0, 0, 0, 1, 1, 1]),
        ((), 3, None),
        (("Forest", "Sea"), 2, [0, 0, 0, -1, -1, -1]),
        (("forest", "RIVER"), 2, [0, 0, 0, 1, 1, 1]),
        (("Sea", "Lake"), 2, None),
    ):
        images, found = load_images_and_labels(path, SHAPE, 99, names, outputs)
        assert shades(images) == [0, 20, 40] * 2
        assert (found if found is None else found.tolist()) == labels


def test_classes_without_names_are_in_the_order_of_their_folders(make):
    path = make({"apple/1.png": 1, "Zoo/2.png": 2})
    assert load_images_and_labels(path, SHAPE, 99, (), 2)[1].tolist() == [0, 1]
    assert load_labelled(path, SHAPE, (), 2)[1].tolist() == [0, 1]  # Zoo, then apple


def test_classes_may_have_folders_below(make):
    path = make({"River/a/1.png": 1, "River/b/2.png": 2, "Forest/a/3.png": 3})
    assert load_images_and_labels(path, SHAPE, 99, ("River", "Forest"), 2)[1].tolist() == [1, 0, 0]


def test_a_folder_that_is_no_class_is_told(make, caplog):
    path = make({**SIX, "misc/a.png": 7})
    assert load_images_and_labels(path, SHAPE, 99, ("River", "Forest"), 2)[1].tolist() == [1, 1, 1, 0, 0, 0, -1]
    assert "misc is no class (River, Forest): its images are not labelled" in caplog.text


def test_array_is_spread(tmp_path):
    path = tmp_path / "images.NPY"
    with path.open("wb") as file:
        np.save(file, np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1))
    assert load_images(path, (1, 1, 1), 4).ravel().tolist() == [0, 33, 66, 99]


def test_what_is_hidden_is_no_image_for_any_purpose(make):
    path = make({**SIX, **dict.fromkeys(HIDDEN, b"no image")})
    assert shades(load_images(path, SHAPE, 99)) == [0, 20, 40] * 2
    images, labels = load_labelled(path, SHAPE, ("Forest", "River"), 2)
    assert (shades(images), labels.tolist()) == ([0, 20, 40] * 2, [0, 0, 0, 1, 1, 1])


def test_broken_image_is_replaced_and_counted(make, caplog):
    path = make({**SIX, "River/2.png": b"no png"})
    assert shades(load_images(path, SHAPE, 4)) == [0, 40, 0, 20]
    assert "1 unreadable image, the first is River/2.png: not an image of a known format; skipped" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_too_few_readable_images_are_an_error_that_counts_the_broken_ones(make):
    path = make({**SIX, "Forest/1.png": b"no png", "River/2.png": b""})
    with pytest.raises(UserError, match=r"2 unreadable images, the first is Forest/1\.png: .*; 4 readable, 5 needed"):
        load_images(path, SHAPE, 5)


def test_broken_labelled_image_is_left_out_and_counted(make, caplog):
    images, labels = load_labelled(make({**SIX, "Forest/1.png": b"no png"}), SHAPE, (), 2)
    assert (shades(images), labels.tolist()) == ([0, 40, 0, 20, 40], [0, 0, 1, 1, 1])
    assert "1 unreadable image, the first is Forest/1.png" in caplog.text


def test_no_readable_labelled_image_is_an_error(make):
    with pytest.raises(UserError, match="no readable image, 6 unreadable images, the first is Forest"):
        load_labelled(make(dict.fromkeys(SIX, b"no png")), SHAPE, (), 2)


@pytest.mark.parametrize("shape", [(6, 9, 3), (6, 9, 1)], ids=["RGB", "gray"])
def test_inputs_that_are_not_square_or_gray_are_served(make, shape):
    path = make(SIX)
    images, labels = load_labelled(path, shape, (), 2)
    assert (images.shape, labels.shape) == ((6, *shape), (6,))
    np.testing.assert_array_equal(load_images(path, shape, 6), images)


def test_images_of_the_wrong_kind_are_refused(tmp_path):
    (tmp_path / "images.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.zip").write_bytes(b"PK")
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    np.savez(tmp_path / "labels.npz", labels=np.zeros(1, int))
    for name, words in (
        ("images.txt", "not a folder, a zip, a .npy or a .npz"),
        ("labels.npz", "lacks the array images"),
        ("empty", "contains no images"),
        ("empty.zip", "contains no images"),
        ("cut.zip", "not a complete zip"),
        ("absent", "is not a folder"),
        ("absent.npy", "not found"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            load_images(tmp_path / name, SHAPE, 4)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_model_that_reads_no_images_needs_an_array(tmp_path):
    for load in (lambda: load_images(tmp_path, (640,), 4), lambda: load_labelled(tmp_path, (640,), (), 2)):
        with pytest.raises(UserError, match="give arrays of it"):
            load()


def test_a_folder_of_classes_is_labelled_by_name(make):
    path = make({"a/0.png": 0, "b/0.png": 1, "b/1.png": 1, "c.v2/0.png": 2, "c.v2/deep/1.png": 2})
    images, labels = load_labelled(path, SHAPE, ("c.v2", "b", "a"), 3)
    assert (labels.tolist(), labels.dtype) == ([2, 1, 1, 0, 0], np.int64)
    assert shades(images) == [0, 1, 1, 2, 2]
    assert load_labelled(path, SHAPE, (), 3)[1].tolist() == [0, 1, 1, 2, 2]


def test_class_folders_without_names_must_be_as_many_as_outputs(make):
    with pytest.raises(UserError, match=r"have 2 classes, the model has 3: .*--class-names"):
        load_labelled(make({**SIX, "Zebra/notes.txt": b"no image"}), SHAPE, (), 3)


def test_classes_without_images_are_allowed_where_the_names_are_known(make, caplog):
    path = make({**SIX, "Lake/notes.txt": b"no image"})
    assert load_labelled(path, SHAPE, ("Forest", "Lake", "River"), 3)[1].tolist() == [0, 0, 0, 2, 2, 2]
    assert "folders without images are not used as classes: Lake" in caplog.text


def test_training_images_are_not_taken_for_validation_images(make):
    path = make({f"{part}/{name}": 1 for part in ("train", "val") for name in SIX})
    with pytest.raises(UserError, match=r"are split \(train, val\): give a part not used for training"):
        load_labelled(path, SHAPE, ("Forest", "River"), 2)


def test_labelled_images_of_the_wrong_kind_are_refused(tmp_path, image_folder):
    (tmp_path / "empty").mkdir()
    for path, words in (
        (tmp_path / "absent.npz", "not found"),
        (tmp_path / "absent", "is not a folder, a zip or"),
        (tmp_path / "empty", "contains no images"),
        (image_folder({"a/0.png": 0, "z/0.png": 0}), "contain 'z', which is not a class"),
        (image_folder({"a/0.png": 0}, "one"), "only one class"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            load_labelled(path, SHAPE, ("a", "b"), 2)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(not CASES.exists(), reason="the failing inputs are not at ../shared/cases")
def test_hidden_and_appledouble_files_of_the_case():
    images = load_images(CASES / "hidden_and_appledouble", (64, 64, 3), 99)
    labelled, labels = load_labelled(CASES / "hidden_and_appledouble", (64, 64, 3), ("Forest", "River"), 2)
    np.testing.assert_array_equal(images, labelled)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.skipif(not CASES.exists(), reason="the failing inputs are not at ../shared/cases")
def test_gray_images_of_16_bits_of_the_case():
    path = CASES / "gray16_png_export"
    expected = [np.asarray(Image.open(file)) >> 8 for file in sorted(path.rglob("*.png"))]
    images = load_images(path, (64, 64, 3), 99)
    np.testing.assert_array_equal(images, np.repeat(np.stack(expected)[..., np.newaxis], 3, axis=-1))
    assert np.median(images) < 200


SCALING = Scaling(Bands(("B08", "B02"), (3, 0), 4), "uint16", (0, 0), (4095, 4095), "given")


def test_rasters_are_read_by_a_scaling(tmp_path):
    folder = raster_folder(tmp_path / "scenes", 3)
    files = sorted(folder.rglob("*.tif"))
    raw = np.stack([samples.read(file.read_bytes()).pixels for file in files])[..., [3, 0]]
    expected = SCALING.codes(raw)
    np.testing.assert_array_equal(load_images(folder, (16, 16, 2), 6, SCALING), expected)
    images, labels = load_labelled(folder, (16, 16, 2), ("Forest", "River"), 2, SCALING)
    np.testing.assert_array_equal(images, expected)
    np.save(tmp_path / "raw.npy", raw)
    np.save(tmp_path / "codes.npy", expected)
    np.savez(tmp_path / "raw.npz", images=raw, labels=labels)
    for name in ("raw.npy", "codes.npy"):
        np.testing.assert_array_equal(load_images(tmp_path / name, (16, 16, 2), 6, SCALING), expected)
    np.testing.assert_array_equal(load_labelled(tmp_path / "raw.npz", (16, 16, 2), (), 2, SCALING)[0], expected)


def test_samples_that_would_lose_most_of_their_range_need_a_scaling(tmp_path):
    folder = raster_folder(tmp_path / "scenes", 2)
    with pytest.raises(UserError, match=r"has uint16 samples from 0 to \d+, .* give --scaling, the scaling.json"):
        load_images(folder, (16, 16, 4), 4)
    reflectance = tmp_path / "float" / "0.tif"
    reflectance.parent.mkdir()
    reflectance.write_bytes(geotiff(np.random.default_rng(0).random((16, 16, 4)).astype(np.float32)))
    with pytest.raises(UserError, match=r"has float32 samples from 0.* to 0.* give --scaling"):
        load_images(reflectance.parent, (16, 16, 4), 1)
    with pytest.raises(UserError, match="float32 samples, --scaling is for uint16"):
        load_images(reflectance.parent, (16, 16, 2), 1, SCALING)
    with pytest.raises(UserError, match="--scaling is for 2 channels, the model takes 4"):
        load_images(folder, (16, 16, 4), 4, SCALING)
    with pytest.raises(UserError, match=r"the images have 4 bands .*, the model takes 3 channels"):
        load_images(folder, (16, 16, 3), 4)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_8_bit_pixels_in_a_wider_type_stay_as_they_are(tmp_path, dtype):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 4)).astype(dtype)
    np.save(tmp_path / "0.npy", pixels)
    np.testing.assert_array_equal(load_images(tmp_path, (16, 16, 4), 1)[0], pixels)


def test_the_full_range_of_16_bits_needs_no_scaling(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65536, (16, 16, 4), dtype=np.uint16)
    (tmp_path / "0.tif").write_bytes(geotiff(pixels))
    np.testing.assert_array_equal(load_images(tmp_path, (16, 16, 4), 1)[0], pixels >> 8)


def test_images_that_are_squashed_are_told(tmp_path, caplog):
    Image.new("RGB", (20, 10)).save(tmp_path / "wide.png")
    load_images(tmp_path, (8, 8, 3), 1)
    assert "images of 20x10 are resized to 8x8, so their aspect ratio changes" in caplog.text
