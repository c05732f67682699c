import numpy as np
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from firmware_export.common.errors import UserError
from keras_satkd.models.stored_logits import gives_probabilities, read

NAMES = ("a/1.png", "a/2.png", "b/1.png")
LOGITS = np.arange(12, dtype=np.float32).reshape(3, 4)


def as_npz(path, names=NAMES, logits=LOGITS, **entries):
    np.savez(path, names=np.array(names), logits=np.asarray(logits), **entries)
    return path


def as_parquet(path, names=NAMES, logits=LOGITS, class_names=("p", "q", "r", "s"), **columns):
    """One row for each name."""
    columns = {"name": list(names), **columns, **dict(zip(class_names, np.asarray(logits).T, strict=True))}
    parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_logits_of_images_by_name(tmp_path, dtype):
    found = read(as_npz(tmp_path / "given.npz", logits=LOGITS.astype(dtype)), "given")
    assert (found.name, found.files, found.views, found.classes, found.class_names) == ("given", NAMES, 1, 4, None)
    wanted = found.of(["b/1.png", "a/1.png"])
    assert wanted.dtype == np.float32
    np.testing.assert_array_equal(wanted[:, 0], LOGITS[[2, 0]])
    found.check_images(["b/1.png", "a/1.png", "a/2.png"])


def test_parquet_names_the_classes_and_the_digest_is_that_of_the_file(tmp_path):
    found = read(as_parquet(tmp_path / "given.parquet"), "given")
    assert found.class_names == ("p", "q", "r", "s")
    np.testing.assert_array_equal(found.of(NAMES)[:, 0], LOGITS)
    other = read(as_parquet(tmp_path / "other.parquet", logits=LOGITS + 1), "given")
    assert found.digest() != other.digest()


def test_eight_views(tmp_path):
    views = np.random.default_rng(0).normal(size=(3, 8, 4)).astype(np.float32)
    found = read(as_npz(tmp_path / "given.npz", logits=views), "given")
    np.testing.assert_array_equal(found.of(NAMES), views)
    names, numbers = np.repeat(NAMES, 8), np.tile(np.arange(8), 3)
    mixed = np.random.default_rng(1).permutation(24)
    rows = {"names": names[mixed], "logits": views.reshape(24, 4)[mixed], "view": numbers[mixed]}
    found = read(as_parquet(tmp_path / "given.parquet", **rows), "given")
    assert found.views == 8
    np.testing.assert_array_equal(found.of(NAMES), views)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 99), classes=st.integers(2, 6))
def test_probabilities_are_seen(tmp_path, seed, classes):
    logits = np.random.default_rng(seed).normal(0, 5, (3, classes)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert not read(as_npz(tmp_path / "given.npz", logits=logits), "given").gives_probabilities
    found = read(as_npz(tmp_path / "given.npz", logits=probabilities), "given")
    assert found.gives_probabilities
    np.testing.assert_allclose(found.of(NAMES)[:, 0], np.log(np.maximum(probabilities, 1e-12)), atol=1e-4)
    stated = read(as_npz(tmp_path / "given.npz", logits=probabilities), "given", "logits")
    assert not stated.gives_probabilities
    assert stated.digest() != found.digest()


def test_probabilities_may_be_rounded():
    rounded = np.random.default_rng(0).dirichlet(np.ones(10), 300).round(2)
    assert np.abs(rounded.sum(axis=1) - 1).max() > 0.01
    assert gives_probabilities(rounded, "auto", "mine")


def test_outputs_of_a_sigmoid_are_told(caplog):
    assert not gives_probabilities(np.array([[0.9, 0.8, 0.1]]), "auto", "model x")
    assert "model x gives values from 0 to 1 that do not sum to 1, such as 0.9, 0.8, 0.1, as sigmoids do" in caplog.text
    caplog.clear()
    assert not gives_probabilities(np.array([[0.9, 0.8, 0.1]]), "logits", "model x")
    assert not gives_probabilities(np.array([[0.9, 0.8, 1.1]]), "auto", "model x")
    assert not caplog.text


def test_logits_are_not_the_probabilities_that_they_are_said_to_be():
    assert gives_probabilities(np.array([[0.25, 0.75]]), "probabilities", "mine")
    with pytest.raises(UserError, match=r"mine gives rows that are no probabilities, such as 2, -1: state outputs"):
        gives_probabilities(np.array([[2.0, -1.0]]), "probabilities", "mine")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"logits": LOGITS[:2]}, "has 3 names and 2 rows of logits"),
        ({"logits": LOGITS[:, :1]}, r"has logits of shape \[3, 1, 1\]: give \[images, classes\] or \[images, 8"),
        ({"logits": np.zeros((3, 2, 4), np.float32)}, r"has logits of shape \[3, 2, 4\]"),
        ({"logits": LOGITS.astype(int)}, "logits of type int64: give one text for each image, and float logits"),
        ({"names": NAMES[:2] + NAMES[:1]}, r"has 'a/1\.png' twice"),
        ({"names": (1, 2, 3)}, "has names of type int64"),
        ({"class_names": np.array("A")}, r"has class_names of type <U1 \[\]: give one text for each class"),
        ({"class_names": [b"A", b"B", b"C", b"D"]}, r"has class_names of type \|S1"),
        ({"logits": np.where(LOGITS == 6, np.nan, LOGITS)}, r"has the value nan for 'a/2\.png' \(1 such images\)"),
        ({"logits": np.where(LOGITS > 6, -np.inf, LOGITS)}, r"has the value -inf for 'a/2\.png' \(2 such images\)"),
        ({"logits": LOGITS * 1e5}, r"has the value 100000 for 'a/1\.png'"),
        ({"class_names": np.array(["p", "q"])}, "has 2 class names, 2 different, and logits of 4 classes"),
        ({"class_names": np.array(["p", "q", "p", "r"])}, "has 4 class names, 3 different"),
    ],
)
def test_mistakes_in_an_npz(tmp_path, entries, message):
    with pytest.raises(UserError, match=message) as caught:
        read(as_npz(tmp_path / "given.npz", **entries), "given")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"class_names": (), "logits": np.zeros((3, 0))}, "has no column of logits"),
        ({"view": [0, 0, 1]}, r"lacks view 1 of 'a/1\.png': give views 0 to 1"),
        ({"names": ["a", "a", "a"], "view": [0, 0, 0]}, "has 3 rows for 1 views of images: give each view once"),
        ({"label": ["x", "y", "z"]}, "has a column that is no number"),
        ({"names": [1, 2, 3]}, "has a name that is no text"),
    ],
)
def test_mistakes_in_a_parquet_file(tmp_path, entries, message):
    with pytest.raises(UserError, match=message):
        read(as_parquet(tmp_path / "given.parquet", **entries), "given")


def test_entries_that_are_missing_and_damaged_files(tmp_path):
    np.savez(tmp_path / "given.npz", names=np.array(NAMES))
    with pytest.raises(UserError, match=r"has no 'logits' \(it has names\)"):
        read(tmp_path / "given.npz", "given")
    parquet.write_table(pyarrow.table({"file": list(NAMES)}), tmp_path / "given.parquet")
    with pytest.raises(UserError, match=r"has no column 'name' \(it has file\)"):
        read(tmp_path / "given.parquet", "given")
    np.savez(tmp_path / "pickled.npz", names=np.array([object()]), logits=LOGITS)
    for name in ("broken.npz", "broken.parquet", "pickled.npz"):
        if name.startswith("broken"):
            (tmp_path / name).write_bytes(b"nothing")
        with pytest.raises(UserError, match=f"{name} cannot be read"):
            read(tmp_path / name, "given")


def test_images_that_are_missing_on_either_side(tmp_path):
    found = read(as_npz(tmp_path / "given.npz"), "given")
    with pytest.raises(UserError, match=r"given lacks 'c/1\.png' \(3 names in the file, 4 images\)"):
        found.check_images([*NAMES, "c/1.png"])
    with pytest.raises(UserError, match=r"given has logits of images that the data lacks: 'a/2\.png', 'b/1\.png' \("):
        found.check_images(NAMES[:1])
    with pytest.raises(UserError, match=r"lacks '0', '1', '2' and 7 more"):
        found.check_images(list(map(str, range(10))))
