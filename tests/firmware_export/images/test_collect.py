import numpy as np
import pytest

from firmware_export.common import on_disk
from firmware_export.common.errors import UserError
from firmware_export.images.collect import collector, empty_images
from firmware_export.images.reading import Reading


@pytest.mark.parametrize("total", [0, 3, 5])
@pytest.mark.parametrize("largest", [0.5, 1.0, 300.0, 70000.0])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_memory_and_disk_collect_the_same(tmp_path, monkeypatch, total, largest, dtype):
    monkeypatch.setattr(on_disk, "PIECE", 1)
    arrays = np.linspace(0, largest, 5 * 2 * 2 * 3).round().reshape(5, 2, 2, 3).astype(dtype)
    found = []
    for target in (None, tmp_path / "images.npy"):
        with collector(target, Reading(2, 2, 3, dtype=dtype), total) as collected:
            for array in arrays:
                collected.append(array)
        found.append(collected.finished())
    held, stored = found
    np.testing.assert_array_equal(held, arrays)
    np.testing.assert_array_equal(stored[:], arrays)
    is_narrow = dtype == "float32" and 1 < largest < 65536
    assert held.dtype == stored.dtype == ("uint16" if is_narrow else dtype)


def test_images_that_do_not_fit_into_memory():
    with pytest.raises(UserError, match=r"6 images at 20000000x10000000 need .* GiB of memory"):
        empty_images(6, (10_000_000, 20_000_000, 3))


@pytest.mark.parametrize("is_on_disk", [False, True])
def test_an_image_larger_than_the_limit(tmp_path, is_on_disk):
    with pytest.raises(UserError, match=r"an image at 20000x10000 takes 572 MiB, more than 512: give fewer images"):
        collector(tmp_path / "images.npy" if is_on_disk else None, Reading(10_000, 20_000, 3), 6)


def test_images_that_do_not_fit_on_the_disk(tmp_path):
    with pytest.raises(UserError, match=r"1000000000000 images at 64x64 need 11,444,092 GiB, and [\d,]+ are free"):
        collector(tmp_path / "images.npy", Reading(64, 64, 3), 10**12)
    assert not list(tmp_path.iterdir())
