import logging
import shutil

import numpy as np
import pytest
from damage import damage

from firmware_export.images.decode import Decoded
from firmware_export.images.image_set import ImageSet
from keras_satkd.data.cache import cached

DECODED = Decoded(
    ImageSet(
        np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3),
        np.array([1, 0], np.int32),
        ("River/ä.png", "Forest/1.png"),
        ("Forest", "River"),
        ("test", "train"),
    ),
    unreadable=("Forest/2.png: cut short",),
    sizes={"4x4": 2},
)


class Maker:
    def __init__(self):
        self.calls = 0

    def __call__(self, target):
        self.calls += 1
        return DECODED


@pytest.fixture
def make():
    return Maker()


def assert_same(decoded):
    np.testing.assert_array_equal(decoded.image_set.images, DECODED.image_set.images)
    np.testing.assert_array_equal(decoded.image_set.labels, DECODED.image_set.labels)
    assert decoded.image_set.labels.dtype == np.int32
    assert decoded.image_set.files == DECODED.image_set.files
    assert decoded.image_set.class_names == DECODED.image_set.class_names
    assert decoded.image_set.parts == DECODED.image_set.parts
    assert (decoded.unreadable, decoded.sizes) == (DECODED.unreadable, DECODED.sizes)


def test_second_time_is_read_from_disk_read_only(tmp_path, make):
    for _ in range(2):
        decoded = cached({"source": "a"}, str(tmp_path), make)
        assert_same(decoded)
        assert isinstance(decoded.image_set.images, np.memmap)
        assert not decoded.image_set.images.flags.writeable
    assert make.calls == 1


def test_every_key_has_its_entry(tmp_path, make):
    for key in ({"source": "a"}, {"source": "b"}, {"source": "a", "image_size": 4}):
        cached(key, str(tmp_path), make)
    assert make.calls == 3


@pytest.mark.parametrize("ending", [".npy", ".json"])
@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"[1]", b"{}", None])
def test_damaged_entry_is_made_anew(tmp_path, make, caplog, ending, content):
    cached({"source": "a"}, str(tmp_path), make)
    (entry,) = tmp_path.glob("*" + ending)
    entry.write_bytes(entry.read_bytes()[:-5] if content is None else content)
    with caplog.at_level(logging.WARNING, "keras_satkd"):
        assert_same(cached({"source": "a"}, str(tmp_path), make))
    assert "decoding again" in caplog.text
    assert make.calls == 2
    assert_same(cached({"source": "a"}, str(tmp_path), make))
    assert make.calls == 2


def test_any_damage_is_noticed_and_made_anew(tmp_path, make, caplog):
    for seed in range(40):
        cached({"source": "a"}, str(tmp_path), make)
        entry = sorted(tmp_path.glob("*.*"))[seed % 2]
        damage(entry, seed)
        caplog.clear()
        before = make.calls
        assert_same(cached({"source": "a"}, str(tmp_path), make))
        assert make.calls == before + 1
        assert "decoding again" in caplog.text


def test_an_entry_of_an_older_version_is_used(tmp_path, make):
    cached({"source": "a"}, str(tmp_path), make)
    shutil.rmtree(tmp_path / "sha256")
    assert_same(cached({"source": "a"}, str(tmp_path), make))
    assert make.calls == 1


def test_entry_of_other_images_is_made_anew(tmp_path, make):
    cached({"source": "a"}, str(tmp_path), make)
    (entry,) = tmp_path.glob("*.npy")
    np.save(entry, np.zeros((3, 4, 4, 3), np.uint8))
    assert_same(cached({"source": "a"}, str(tmp_path), make))


def test_folder_that_cannot_be_written_is_a_warning(tmp_path, make, caplog):
    file = tmp_path / "file"
    file.write_text("in the way")
    assert_same(cached({"source": "a"}, str(file), make))
    assert "cannot be cached for the next run" in caplog.text


def test_default_folder_is_the_users_cache(tmp_path, make, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cached({"source": "a"}, None, make)
    assert len(list((tmp_path / "keras_satkd").glob("*.*"))) == 2


def test_no_temporary_files_are_left(tmp_path, make):
    cached({"source": "a"}, str(tmp_path), make)
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.is_file()) == [".json", ".npy"]
