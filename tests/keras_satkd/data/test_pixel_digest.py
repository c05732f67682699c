import hashlib

import numpy as np
import pytest

from firmware_export.common.on_disk import Rows
from keras_satkd.data import pixel_digest


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), np.uint8)


def test_small_sets_are_read_whole(images):
    assert pixel_digest.of(images) == hashlib.sha256(images.tobytes()).hexdigest()


def test_where_the_images_lie_does_not_matter(tmp_path, images):
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for other in (mapped, Rows.open(tmp_path / "images.npy"), images[::-1][::-1]):
        assert pixel_digest.of(other) == pixel_digest.of(images)


def test_large_sets_are_sampled_evenly(tmp_path, monkeypatch, images):
    monkeypatch.setattr(pixel_digest, "MOST_BYTES", images.nbytes - 1)
    monkeypatch.setattr(pixel_digest, "SAMPLED", 4)
    np.save(tmp_path / "images.npy", images)
    expected = hashlib.sha256(images[::10].tobytes()).hexdigest()
    assert pixel_digest.of(images) == pixel_digest.of(Rows.open(tmp_path / "images.npy")) == expected
    monkeypatch.setattr(pixel_digest, "SAMPLED", 40)  # no more than are sampled: all are read
    assert pixel_digest.of(images) == hashlib.sha256(images.tobytes()).hexdigest()
