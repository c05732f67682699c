import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from firmware_export.common.errors import UserError
from firmware_export.images.load import generated_images, load_images, load_labelled


@given(shape=st.one_of(st.tuples(*[st.integers(1, 20)] * 3), st.tuples(st.integers(1, 40))), count=st.integers(2, 5))
def test_generated_images_have_the_models_shape(shape, count):
    made = generated_images(shape, count)
    assert (made.shape, made.dtype) == ((count, *shape), np.uint8)
    assert made[0].max() == 0
    assert made[1].min() == 255


def test_generated_images_repeat_and_differ():
    first = generated_images((16, 16, 3), 12)
    assert np.array_equal(first, generated_images((16, 16, 3), 12))
    assert not np.array_equal(first, generated_images((16, 16, 3), 12, seed=1))
    assert len({image.tobytes() for image in first}) == 12


def test_generated_images_are_smooth_and_varied():
    made = generated_images((32, 32, 3), 64)[2:].astype(int)
    neighbours = np.abs(np.diff(made, axis=2)).mean()
    strangers = np.abs(made[:-1] - made[1:]).mean()
    assert neighbours < strangers / 2


def test_folder_is_searched_resized_and_spread(tmp_path):
    for index in range(10):
        folder = tmp_path / f"class_{index % 2}"
        folder.mkdir(exist_ok=True)
        Image.new("L" if index % 3 else "RGB", (20 + index, 9), color=index).save(folder / f"{index}.png")
    (tmp_path / "notes.txt").write_text("no image")
    images = load_images(tmp_path, (8, 6, 3), 4)
    assert (images.shape, images.dtype) == ((4, 8, 6, 3), np.uint8)
    assert len(load_images(tmp_path, (8, 6, 1), 99)) == 10


def test_array_is_spread(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1))
    assert load_images(path, (1, 1, 1), 4).ravel().tolist() == [0, 33, 66, 99]


def test_images_of_the_wrong_kind_are_refused(tmp_path):
    array, text, empty = tmp_path / "floats.npy", tmp_path / "images.txt", tmp_path / "empty"
    np.save(array, np.zeros((4, 8, 8, 3), np.float32))
    text.write_text("x")
    empty.mkdir()
    cut = tmp_path / "cut.npy"
    cut.write_bytes(array.read_bytes()[:40])
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.png").write_bytes(b"no png")
    for path, words in (
        (array, "are float32"),
        (text, "neither a folder nor a .npy"),
        (empty, "no images under"),
        (cut, "truncated"),
        (broken, "does not decode"),
        (tmp_path / "absent", "neither a folder"),
        (tmp_path / "absent.npy", "not found"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            load_images(path, (8, 8, 3), 4)
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_wrong_size_and_non_images_are_refused(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, np.zeros((4, 8, 8, 3), np.uint8))
    with pytest.raises(UserError, match=r"uint8 \[N, 16, 16, 3\] expected"):
        load_images(path, (16, 16, 3), 4)
    with pytest.raises(UserError, match=r"give a \.npy array"):
        load_images(tmp_path, (640,), 4)


def _classes(folder, names):
    for level, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for index in range(level + 1):
            Image.new("RGB", (9, 9), (level, 0, 0)).save(folder / name / f"{index}.png")
    return folder


def test_a_folder_of_classes_is_labelled_by_name(tmp_path):
    folder = _classes(tmp_path / "images", ("a", "b", "c"))
    pixels, labels = load_labelled(folder, (4, 4, 3), ("c", "b", "a"))
    assert labels.tolist() == [2, 1, 1, 0, 0, 0]
    assert pixels[:, 0, 0, 0].tolist() == [0, 1, 1, 2, 2, 2]
    assert load_labelled(folder, (4, 4, 3), ())[1].tolist() == [0, 1, 1, 2, 2, 2]


def test_arrays_of_images_and_labels(tmp_path):
    np.savez(tmp_path / "some.npz", images=np.zeros((3, 2, 2, 3), np.uint8), labels=np.array([2, 0, 1], np.int32))
    pixels, labels = load_labelled(tmp_path / "some.npz", (2, 2, 3), ())
    assert (pixels.shape, labels.tolist()) == ((3, 2, 2, 3), [2, 0, 1])


def test_labelled_images_of_the_wrong_kind_are_refused(tmp_path):
    np.savez(tmp_path / "bare.npz", images=np.zeros((3, 2, 2, 3), np.uint8))
    np.savez(tmp_path / "floats.npz", images=np.zeros((1, 2, 2, 3), np.uint8), labels=np.array([0.5]))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "bare.npz").read_bytes()[:60])
    (tmp_path / "empty").mkdir()
    for path, words in (
        (tmp_path / "bare.npz", "hold no arrays images and labels"),
        (tmp_path / "floats.npz", "hold no arrays"),
        (tmp_path / "cut.npz", "hold no arrays"),
        (tmp_path / "absent.npz", "not found"),
        (tmp_path / "absent", "neither a folder nor"),
        (tmp_path / "empty", "no subfolder"),
        (_classes(tmp_path / "images", ("a", "z")), "hold 'z', which is no class"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            load_labelled(path, (2, 2, 3), ("a", "b"))
        assert "\n" not in str(caught.value)
