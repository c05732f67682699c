import dataclasses
import io
import logging
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from PIL import Image

from firmware_export.common.errors import UserError
from firmware_export.images.load import load_images, load_labelled
from keras_satkd.data import scaling, sources
from keras_satkd.settings.data_config import DataConfig

SHARED = Path(__file__).parents[4] / "shared"
EUROSAT = SHARED / "eurosat" / "EuroSAT_RGB.zip"
CASES = SHARED / "cases"
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


def test_a_set_that_comes_split_keeps_its_parts_and_classes(image_folder, settings):
    parts = {"train": "train", "dev": "validation", "test": "test"}
    image_set = sources.load(settings(image_folder({f"{part}/{name}": 1 for part in parts for name in SIX})))
    assert image_set.class_names == ("Forest", "River")
    found = sources.split(image_set, settings(""))
    assert found.summary() == "2 classes; images: 6 train, 6 validation, 6 test (the set's own parts)"
    assert {part: {file.split("/")[0] for file in files} for part, files in found.file_list().items()} == {
        part: {folder} for folder, part in parts.items()
    }


@pytest.mark.skipif(not CASES.exists(), reason="../shared is absent")
def test_case_train_dev_test(settings):
    image_set = sources.load(settings(CASES / "train_dev_test"))
    assert image_set.class_names == ("Forest", "River")
    assert all(file.startswith("dev/") for file in sources.split(image_set, settings("")).validation.files)


@pytest.mark.parametrize("name", ["all.npy", "set.tar.gz", "list.json"])
def test_files_of_other_kinds(settings, tmp_path, name):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(UserError, match=r"is no zip, no manifest \(\.csv, \.parquet\) and no data set of arrays"):
        sources.load(settings(tmp_path / name))


@pytest.mark.parametrize("pattern", ["{name}/1/{band}.png", "{name}/T32_{band}.png", "{name}/T32_{band}_10m.png"])
def test_single_bands_are_no_images(image_folder, settings, pattern):
    files = {pattern.format(name=name, band=band): 1 for name in "xy" for band in ("B02", "B8A", "B12")}
    with pytest.raises(UserError, match=r"the files are single bands \(B02, B12, B8A\), such as x/"):
        sources.load(settings(image_folder(files)))


MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK")


@st.composite
def image_sets(draw):
    """A list of files' endings and contents: 8-bit pictures of any modes, or 16-bit gray."""
    is_deep = draw(st.booleans())
    return draw(st.lists(image_files(("I;16",) if is_deep else MODES), min_size=2, max_size=5))


@st.composite
def image_files(draw, modes):
    """A file's ending and content: an image of one of the modes and any size, as its format can hold it."""
    mode = draw(st.sampled_from(modes))
    kind = draw(st.sampled_from(["TIFF", "JPEG"] if mode == "CMYK" else ["PNG", "TIFF"]))
    height, width = draw(st.tuples(*[st.integers(1, 40)] * 2))
    pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width, 3), np.uint8)
    if mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 256 + pixels[..., 1])
    elif mode == "RGBA":
        image = Image.fromarray(np.dstack([pixels, pixels[..., 0]]))
    else:
        image = Image.fromarray(pixels).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind)
    return kind.lower(), stream.getvalue()


@settings_of_hypothesis(max_examples=25, deadline=None)
@given(files=image_sets(), size=st.integers(1, 24), is_zip=st.booleans())
def test_a_file_gives_the_same_pixels_for_every_purpose(files, size, is_zip):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "images"
        for index, (ending, content) in enumerate(files):
            path = folder / ("Forest" if index else "River") / f"{index}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        source = Path(shutil.make_archive(str(folder), "zip", folder)) if is_zip else folder
        settings = DataConfig(source=str(source), cache_dir=f"{name}/cache", image_size=size, fit="squash")
        full = replace(settings, scaling=("full",))
        trained = sources.load(settings)
        trained = scaling.scaled(trained, scaling.decide(trained, full))
        verified = load_images(source, (size, size, 3), len(files))
        validated, labels = load_labelled(source, (size, size, 3), ("Forest", "River"), 2)
        np.testing.assert_array_equal(verified, trained.images)
        np.testing.assert_array_equal(validated, trained.images)
        np.testing.assert_array_equal(labels, trained.labels)


def test_a_larger_image_is_resized_the_same_way_for_training_and_export(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (192, 192, 3), np.uint8)
    for name in ("Forest", "River"):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "images" / name / "1.png")
    trained = sources.load(DataConfig(source=str(tmp_path / "images"), cache_dir=str(tmp_path), image_size=64))
    expected = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(trained.images[0], expected)
    np.testing.assert_array_equal(load_images(tmp_path / "images", (64, 64, 3), 2), trained.images)


@pytest.mark.skipif(not CASES.exists(), reason="the failing inputs are not at ../shared/cases")
@pytest.mark.parametrize("case", ["gray16_png_export", "hidden_and_appledouble"])
def test_cases_read_the_same_for_training_and_export(case, tmp_path):
    settings = DataConfig(source=str(CASES / case), cache_dir=str(tmp_path))
    trained = sources.load(settings)
    trained = scaling.scaled(trained, scaling.decide(trained, settings))
    np.testing.assert_array_equal(load_images(CASES / case, (64, 64, 3), 99), trained.images)
    if case == "hidden_and_appledouble":
        assert [file.split("/")[0] for file in trained.files] == ["Forest"] * 3 + ["River"] * 3


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
        assert "2 unreadable images, the first is Forest/8.jpg" in caplog.text


@pytest.mark.parametrize("before", [False, True], ids=["from the files", "from the cache"])
def test_unreadable_image_is_an_error_when_strict(image_folder, settings, before):
    folder = image_folder({**SIX, "Forest/8.jpg": b"\xff\xd8\xff"})
    if before:
        sources.load(settings(folder))
    with pytest.raises(UserError, match=r"1 unreadable image, the first is Forest/8\.jpg.*repair or remove"):
        sources.load(settings(folder, strict=True))


def test_nothing_readable_is_an_error(image_folder, settings):
    with pytest.raises(UserError, match=r"no readable image, 6 unreadable images, the first is Forest/0\.png"):
        sources.load(settings(image_folder(dict.fromkeys(SIX, b"text"))))


def test_unlike_sizes_are_said(image_folder, settings, caplog):
    stream = io.BytesIO()
    Image.new("RGB", (20, 10)).save(stream, "PNG")
    folder = image_folder({**SIX, "River/wide.png": stream.getvalue()})
    with pytest.raises(UserError, match=r"River/wide.png is 20x10, .* --data.fit crop .* or --data.fit squash"):
        sources.load(settings(folder))
    for fit, done in (("squash", "squashed"), ("crop", "cropped and resized")):
        sources.load(settings(folder, fit=fit))
        assert f"images have 2 different sizes (8x8, 20x10): all are {done} to 8x8" in caplog.text


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
    with pytest.raises(UserError, match=r"an image at 10000000x10000000 takes 286,102,294 MiB"):
        sources.load(huge)


def test_synthetic_scenes_are_kept(settings):
    first = sources.load(settings("synthetic", synthetic_images=30))
    again = sources.load(settings("synthetic", synthetic_images=30))
    assert isinstance(again.images, np.memmap)
    np.testing.assert_array_equal(first.images, again.images)
    assert len(sources.load(settings("synthetic", synthetic_images=40, seed=1))) == 40


def test_tensorflow_is_not_imported_for_files(image_folder, tmp_path):
    code = (
        "import sys; from keras_satkd.data import sources; from keras_satkd.settings.data_config import DataConfig; "
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
