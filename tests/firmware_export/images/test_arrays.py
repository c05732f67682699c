import zipfile

import numpy as np
import pytest

from firmware_export.common.errors import UserError
from firmware_export.images.arrays import load_array, load_labelled_arrays
from firmware_export.images.image_set import Bands
from firmware_export.images.scaling import Scaling


def test_array_is_mapped_not_read(tmp_path):
    np.save(tmp_path / "images.npy", np.arange(12, dtype=np.int8).reshape(3, 2, 2, 1))
    images = load_array(tmp_path / "images.npy", (2, 2, 1))
    assert isinstance(images, np.memmap)
    assert (images.dtype, images.ravel().tolist()) == (np.int8, list(range(12)))


def test_arrays_of_the_wrong_kind_are_refused(tmp_path):
    array = tmp_path / "floats.npy"
    np.save(array, np.zeros((4, 8, 8, 3), np.float32))
    (tmp_path / "cut.npy").write_bytes(array.read_bytes()[:40])
    np.save(tmp_path / "small.npy", np.zeros((4, 4, 4, 3), np.uint8))
    np.save(tmp_path / "none.npy", np.zeros((0, 8, 8, 3), np.uint8))
    for name, words in (
        ("floats.npy", "are float32"),
        ("cut.npy", "truncated"),
        ("small.npy", r"uint8 \[N, 8, 8, 3\] expected"),
        ("none.npy", r"\[0, 8, 8, 3\]"),
        ("absent.npy", "not found"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            load_array(tmp_path / name, (8, 8, 3))
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_arrays_of_images_and_labels(tmp_path):
    np.savez(tmp_path / "some.npz", images=np.zeros((3, 2, 2, 3), np.uint8), labels=np.array([2, 0, 1], np.int32))
    images, labels = load_labelled_arrays(tmp_path / "some.npz", (2, 2, 3))
    assert (images.shape, labels.tolist(), labels.dtype) == ((3, 2, 2, 3), [2, 0, 1], np.int64)
    np.savez(tmp_path / "column.npz", images=images, labels=labels[:, None])
    assert load_labelled_arrays(tmp_path / "column.npz", (2, 2, 3))[1].tolist() == [2, 0, 1]
    np.testing.assert_array_equal(load_array(tmp_path / "some.npz", (2, 2, 3)), images)


def test_labelled_arrays_of_the_wrong_kind_are_refused(tmp_path):
    np.savez(tmp_path / "bare.npz", images=np.zeros((3, 2, 2, 3), np.uint8))
    np.savez(tmp_path / "floats.npz", images=np.zeros((1, 2, 2, 3), np.uint8), labels=np.array([0.5]))
    np.savez(tmp_path / "matrix.npz", images=np.zeros((1, 2, 2, 3), np.uint8), labels=np.array([[0, 1]]))
    np.savez(tmp_path / "small.npz", images=np.zeros((1, 2, 1, 3), np.uint8), labels=np.array([0]))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "bare.npz").read_bytes()[:60])
    for name, words in (
        ("bare.npz", "lacks the arrays images and labels"),
        ("floats.npz", "are float64"),
        ("matrix.npz", r"are int64 \[1, 2\], whole numbers \[N\] expected"),
        ("small.npz", r"uint8 \[N, 2, 2, 3\] expected"),
        ("cut.npz", "lacks the arrays"),
        ("absent.npz", "not found"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            load_labelled_arrays(tmp_path / name, (2, 2, 3))
        assert "\n" not in str(caught.value)


def test_arrays_larger_than_the_limit_are_not_read(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, images=np.zeros((3 << 20, 1, 1, 1), np.uint8), labels=np.zeros(3, np.int64))
    monkeypatch.setenv("SATKD_MAX_ARRAY_MIB", "2")
    with pytest.raises(UserError, match=r"images.npy takes 4 MiB, more than 2: set SATKD_MAX_ARRAY_MIB"):
        load_labelled_arrays(path, (1, 1, 1))
    monkeypatch.setenv("SATKD_MAX_ARRAY_MIB", "4")
    assert len(load_labelled_arrays(path, (1, 1, 1))[0]) == 3 << 20


def test_a_header_that_states_more_than_the_file_has(tmp_path):
    header = {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 8, 8, 3)}
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive, archive.open("images.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "a") as archive, archive.open("labels.npy", "w") as file:
        np.lib.format.write_array(file, np.zeros(3, np.int64))
    with pytest.raises(UserError, match=r"images.npy takes .* MiB, more than"):
        load_labelled_arrays(tmp_path / "bomb.npz", (8, 8, 3))
    with (tmp_path / "bomb.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(UserError, match="truncated"):
        load_array(tmp_path / "bomb.npy", (8, 8, 3))


def test_arrays_of_samples_have_the_channels_or_all_bands(tmp_path):
    random = np.random.default_rng(0).integers(0, 4096, (3, 4, 5, 4), dtype=np.uint16)
    made = Scaling(Bands(("B08", "B02"), (3, 0), 4), "uint16", (0, 0), (4095, 4095), "")
    np.save(tmp_path / "all.npy", random)
    np.save(tmp_path / "some.npy", random[..., [3, 0]])
    np.savez(tmp_path / "all.npz", images=random, labels=np.arange(3))
    np.testing.assert_array_equal(load_labelled_arrays(tmp_path / "all.npz", (4, 5, 2), made)[0], random[..., [3, 0]])
    for name in ("all", "some"):
        np.testing.assert_array_equal(load_array(tmp_path / f"{name}.npy", (4, 5, 2), made), random[..., [3, 0]])
        with pytest.raises(UserError, match="are uint16"):
            load_array(tmp_path / f"{name}.npy", (4, 5, 2))
    np.save(tmp_path / "codes.npy", random[..., :2].astype(np.uint8))
    assert load_array(tmp_path / "codes.npy", (4, 5, 2), made).dtype == np.uint8
