import dataclasses
import zipfile

import numpy as np
import pytest
from PIL import Image

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import RGB, Bands, ImageSet
from firmware_export.images.scaling import Scaling, full_range
from keras_satkd.data import scaling, unlabelled
from keras_satkd.data.splits import Split
from keras_satkd.settings.data_config import DataConfig

SIZE = 16


@pytest.fixture
def settings(tmp_path):
    return DataConfig(image_size=SIZE, cache_dir=str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    """Five pictures in nested folders, and a text."""
    random = np.random.default_rng(0)
    for name in ("a.png", "b.png", "scene 1/a.png", "scene 1/deep/c.png", "z/d.png"):
        path = tmp_path / "new" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (SIZE, SIZE, 3), np.uint8)).save(path)
    (tmp_path / "new" / "notes.txt").write_text("no image")
    return tmp_path / "new"


def plain() -> Scaling:
    images = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    return scaling.decide(ImageSet(images, np.zeros(1, np.int32), ("a",), ("one",)), DataConfig())


def test_all_images_below_a_folder(folder, settings):
    found = unlabelled.load(str(folder), settings, plain())
    names = ("a.png", "b.png", "scene 1/a.png", "scene 1/deep/c.png", "z/d.png")
    assert found.files == tuple(f"unlabelled/{name}" for name in names)
    assert found.images.shape == (5, SIZE, SIZE, 3)
    np.testing.assert_array_equal(found.images[2], np.asarray(Image.open(folder / "scene 1" / "a.png")))


def test_of_a_zip(folder, settings, tmp_path):
    with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder))
    packed, loose = (unlabelled.load(str(source), settings, plain()) for source in (tmp_path / "new.zip", folder))
    assert packed.files == loose.files
    np.testing.assert_array_equal(packed.images, loose.images)


def test_another_image_is_seen(folder, settings):
    assert len(unlabelled.load(str(folder), settings, plain())) == 5
    Image.fromarray(np.full((SIZE, SIZE, 3), 7, np.uint8)).save(folder / "new.png")
    assert len(unlabelled.load(str(folder), settings, plain())) == 6


def test_what_is_resized_or_skipped_is_told(folder, settings, caplog):
    Image.fromarray(np.zeros((SIZE, 2 * SIZE, 3), np.uint8)).save(folder / "wide.png")
    (folder / "broken.png").write_bytes(b"no picture")
    assert len(unlabelled.load(str(folder), dataclasses.replace(settings, fit="squash"), plain())) == 6
    assert f"{folder}: 1 unreadable image" in caplog.text
    assert "squashed to 16x16" in caplog.text


def test_what_cannot_be_used_is_one_line(folder, settings, tmp_path):
    with pytest.raises(UserError, match="absent: no such folder or zip"):
        unlabelled.load("absent", settings, plain())
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="there are none: give a folder or zip of images"):
        unlabelled.load(str(tmp_path / "empty"), settings, plain())
    (tmp_path / "empty" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="empty: no readable image, 1 unreadable image"):
        unlabelled.load(str(tmp_path / "empty"), settings, plain())
    bands = full_range(Bands(("1", "2", "3", "4"), (0, 1, 2, 3), 4), "uint16", 4095, "test")
    with pytest.raises(UserError, match="give images with the same bands"):
        unlabelled.load(str(folder), settings, bands)


def test_test_images_are_told(folder, settings):
    found = unlabelled.load(str(folder), settings, plain())
    random = np.random.default_rng(1)
    others = random.integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    held_out = ImageSet(others, np.zeros(4, np.int32), tuple("wxyz"), ("one",))
    unlabelled.check_apart(found, [held_out])
    others[2] = found.images[1]
    message = r"1 unlabelled images are validation or test images too, such as unlabelled/b\.png and y: remove them"
    with pytest.raises(UserError, match=message):
        unlabelled.check_apart(found, [dataclasses.replace(held_out, images=others)])


def test_names_of_channels_stay(folder, settings):
    assert unlabelled.load(str(folder), settings, plain()).channel_names == RGB


def test_images_of_a_held_out_group_are_told(folder, settings):
    random = np.random.default_rng(1)

    def part(number, group):
        pixels = random.integers(0, 256, (number, SIZE, SIZE, 3), np.uint8)
        names = tuple(f"Lake/{group}_{at}.png" for at in range(number))
        return ImageSet(pixels, np.zeros(number, np.int32), names, ("Lake",), groups=(group,) * number)

    divided = Split(part(2, "z"), part(1, "y"), part(1, "scene 1"), "sha256")
    settings = dataclasses.replace(settings, unlabelled=str(folder), group=r"(scene \d|z)")
    said = r"2 unlabelled images are of groups for .* such as scene 1/a\.png of the group 'scene 1': remove them"
    with pytest.raises(UserError, match=said):
        unlabelled.of_run(settings, divided, plain())
    of_others = dataclasses.replace(divided, test=part(1, "scene 2"))
    assert len(unlabelled.of_run(settings, of_others, plain())) == 5
    manifest = dataclasses.replace(settings, group="scene")  # a column
    assert len(unlabelled.of_run(manifest, divided, plain())) == 5
