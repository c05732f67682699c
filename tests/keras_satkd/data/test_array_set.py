import numpy as np
import pytest

from firmware_export.common import limits, on_disk
from firmware_export.common.errors import UserError
from keras_satkd.data import sources
from keras_satkd.data.array_set import open_array_set
from keras_satkd.settings.data_config import DataConfig

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
LABELS = np.arange(12) % 2


@pytest.fixture
def load(tmp_path):
    def load_(arrays, **settings):
        np.savez_compressed(tmp_path / "set.npz", **arrays)
        settings = {"image_size": 8, "cache_dir": str(tmp_path / "cache"), **settings}
        return sources.load(DataConfig(source=str(tmp_path / "set.npz"), **settings))

    return load_


def test_pictures_with_labels_parts_and_groups(load):
    split = np.array(["train", "val", "test"] * 4)
    arrays = {"images": IMAGES, "labels": LABELS, "class_names": ["River", "Forest"], "split": split}
    found = load({**arrays, "groups": np.arange(12) % 3})
    np.testing.assert_array_equal(found.images, IMAGES)
    assert found.channel_names == ("red", "green", "blue")
    assert found.class_names == ("Forest", "River")
    np.testing.assert_array_equal(found.labels, 1 - LABELS)
    assert found.parts == ("train", "validation", "test") * 4
    assert found.groups[:4] == ("0", "1", "2", "0")
    assert found.files[-1] == "11"
    again = load({**arrays, "groups": np.arange(12) % 3}, parts="new", group="none")
    assert again.parts == again.groups == ()


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (LABELS[:, np.newaxis], ("0", "1")),
        (np.eye(2)[LABELS], ("0", "1")),
        (LABELS.astype(np.float32), ("0", "1")),
        (np.array(["a", "b"])[LABELS], ("a", "b")),
        (np.array([b"a", b"b"])[LABELS], ("a", "b")),
        (9 + LABELS, ("09", "10")),
        (99_998 + LABELS, ("99998", "99999")),
        (LABELS.astype(bool), ("0", "1")),
    ],
    ids=["column", "one-hot", "float", "texts", "bytes", "two digits", "gaps", "bool"],
)
def test_labels_of_any_usual_form(load, labels, names):
    found = load({"images": IMAGES, "labels": labels})
    assert found.class_names == names
    np.testing.assert_array_equal(found.labels, LABELS)


def test_bands_of_16_bits_first_or_last(load):
    images = np.random.default_rng(0).integers(0, 4096, (12, 4, 8, 8), np.uint16)
    found = load({"images": images, "labels": LABELS}, bands=("4", "1"))
    np.testing.assert_array_equal(found.images, images.transpose(0, 2, 3, 1)[..., [3, 0]])
    last = load({"images": images.transpose(0, 2, 3, 1), "labels": LABELS})
    np.testing.assert_array_equal(last.images, images.transpose(0, 2, 3, 1))


def test_gray_images(load):
    found = load({"images": IMAGES[..., 0], "labels": LABELS})
    np.testing.assert_array_equal(found.images, np.repeat(IMAGES[..., :1], 3, axis=-1))


def test_it_is_merged_with_others(load, tmp_path, image_folder):
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=np.array(["Forest"] * 12))
    sources_ = (str(image_folder({"River/1.png": 1})), str(tmp_path / "a.npz"))
    found = sources.load(DataConfig(source=sources_, image_size=8, cache_dir=str(tmp_path / "cache")))
    assert found.class_names == ("Forest", "River")
    assert found.files[-1] == "a.npz/11"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": None}, r"has no array 'labels' \(found: images\)"),
        ({"labels": LABELS[:5]}, r"has 12 images and labels \[5\]"),
        ({"labels": LABELS - 1}, "label -1 found"),
        ({"labels": LABELS + 0.5}, r"label 0\.5 found"),
        ({"labels": np.where(LABELS, np.nan, 0)}, "label nan found"),
        ({"labels": np.where(LABELS, np.inf, 0)}, "label inf found"),
        ({"labels": (LABELS - 1).astype(np.uint32)}, "label 4294967295 found, whole numbers from 0 to 99999 or names"),
        ({"labels": LABELS * 2**62}, f"label {2**62} found"),
        ({"labels": LABELS * 100_000, "class_names": ["a", "b"]}, "label 100000 found"),
        ({"labels": LABELS.astype(complex)}, "labels are complex128, whole numbers"),
        ({"labels": LABELS.astype("datetime64[D]")}, r"labels are datetime64\[D\], whole numbers"),
        ({"labels": np.array([b"a", b"\xff"])[LABELS]}, r"labels has b'\\xff', which is not UTF-8"),
        ({"labels": np.ones((12, 2))}, "not one 1 in each row"),
        ({"class_names": ["a"]}, "label 1 found, but it has 1 class_names"),
        ({"class_names": ["a", "a"]}, "or one twice"),
        ({"labels": np.array(["a", "b"])[LABELS], "class_names": ["a", "c"]}, "label 'b' is not among"),
        ({"split": ["fold"] * 12}, "split has 'fold'"),
        ({"groups": np.zeros(3, int)}, r"groups is int64 \[3\], texts \[12\] expected"),
        ({"images": IMAGES[0, 0]}, r"images are uint8 \[8, 3\], numbers"),
        ({"images": IMAGES.astype("U3")}, "numbers"),
        ({"labels": np.array([{}] * 12)}, "is not a readable .npz file"),
    ],
)
def test_what_is_wrong_is_one_line(load, changed, message):
    arrays = {"images": IMAGES, "labels": LABELS, **changed}
    with pytest.raises(UserError, match=message) as raised:
        load({name: value for name, value in arrays.items() if value is not None})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["is_train", "fold"])
def test_an_array_of_parts_of_another_name_is_refused(load, name):
    arrays = {"images": IMAGES, "labels": LABELS, name: LABELS}
    with pytest.raises(UserError, match=f"has parts in its array '{name}': save it as 'split', .*--data.parts new"):
        load(arrays)
    assert load(arrays, parts="new").parts == ()
    assert load({**arrays, "split": np.array(["train", "val", "test"] * 4)}).parts[0] == "train"


def test_a_damaged_file(tmp_path):
    (tmp_path / "set.npz").write_bytes(b"PK\3\4 no zip")
    with pytest.raises(UserError, match=r"is not a readable \.npz file"):
        open_array_set(tmp_path / "set.npz", DataConfig())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_larger_than_memory_are_read_in_place(tmp_path, monkeypatch, save):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
    path = tmp_path / "images.npz"
    save(path, images=images, labels=np.arange(12) % 2)
    held = sources.load(DataConfig(str(path), image_size=8, cache_dir=str(tmp_path / "held")))
    monkeypatch.setitem(limits.DEFAULTS, limits.HELD, 0)
    settings = DataConfig(str(path), image_size=8, cache_dir=str(tmp_path / "read"))
    read = sources.load(settings)
    assert isinstance(read.images, on_disk.Rows)
    np.testing.assert_array_equal(read.images[:], held.images)
    divided = sources.split(read, settings)
    expected = sources.split(held, settings)
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(divided, part).images[:], getattr(expected, part).images)
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"is not a readable \.npz file"):
        sources.load(settings)
