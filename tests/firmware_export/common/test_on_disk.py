import logging

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from firmware_export.common import limits, on_disk
from firmware_export.common.errors import UserError
from firmware_export.common.on_disk import Rows, Writer

ARRAY = np.random.default_rng(0).integers(0, 256, (50, 4, 3), np.uint8)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    found = tmp_path_factory.mktemp("on_disk") / "array.npy"
    with Writer(found, (4, 3), np.uint8) as writer:
        writer.append(ARRAY[0])
        writer.extend(ARRAY[1:40])
        writer.extend(ARRAY[:0])
        writer.extend(ARRAY[40:].astype(np.int64))
    return found


def test_what_is_written_row_by_row_is_an_ordinary_file(path, tmp_path):
    np.testing.assert_array_equal(np.load(path), ARRAY)
    np.save(tmp_path / "whole.npy", ARRAY)
    assert path.read_bytes() == (tmp_path / "whole.npy").read_bytes()
    with Writer(tmp_path / "empty.npy", (4, 3), np.float32) as writer, pytest.raises(ValueError, match="expected"):
        writer.append(ARRAY[0, :2])
    assert np.load(tmp_path / "empty.npy").shape == (0, 4, 3)
    assert Rows.open(tmp_path / "empty.npy")[:].shape == (0, 4, 3)


@hypothesis.settings(deadline=None)
@hypothesis.given(st.lists(st.integers(0, 49), max_size=60), st.data())
def test_rows_are_those_of_the_array(path, chosen, data):
    rows, array = Rows.open(path), ARRAY
    if chosen:
        indices = np.array(chosen)
        rows, array = rows.take(indices), array[indices]
    assert (rows.shape, rows.size, rows.nbytes, rows.ndim) == (array.shape, array.size, array.nbytes, 3)
    number = data.draw(st.integers(-len(array), len(array) - 1))
    start, stop = (data.draw(st.none() | st.integers(-60, 60)) for _ in range(2))
    step = data.draw(st.sampled_from([None, 1, 2, -1, -3]))
    numbers = data.draw(st.lists(st.integers(-len(array), len(array) - 1), max_size=20))
    for key in (number, slice(start, stop, step), numbers, np.array(numbers, np.int32), array[:, 0, 0] > 99):
        if isinstance(key, list) and not key:
            continue
        np.testing.assert_array_equal(rows[key], array[key])
    np.testing.assert_array_equal(np.stack(list(rows)), array)
    np.testing.assert_array_equal(np.concatenate(list(on_disk.pieces(rows, 25))), array)
    doubled = rows.converted(lambda values: values.astype(np.uint16) * 2, np.uint16)
    np.testing.assert_array_equal(doubled.take(np.array([number]))[:], array[[number]].astype(np.uint16) * 2)


def test_rows_that_do_not_exist(path):
    rows = Rows.open(path)
    for key in (50, -51, [0, 50]):
        with pytest.raises(IndexError):
            rows[key]
    for key in ((0, 1), None, ...):
        with pytest.raises(TypeError, match="read them first"):
            rows[key]
    with pytest.raises(TypeError):
        rows[[0.5]]


def test_that_all_are_read_is_told(path, caplog):
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(np.asarray(Rows.open(path)), ARRAY)
    assert "all 50 rows of" in caplog.text
    assert "are read into memory" in caplog.text


def test_pieces_are_bounded(path):
    for array in (ARRAY, Rows.open(path)):
        assert [len(piece) for piece in on_disk.pieces(array, 12 * 20)] == [20, 20, 10]
        assert len(list(on_disk.pieces(array, 1))) == 50
    assert list(on_disk.pieces(ARRAY[:0])) == []


def test_flattened_rows_keep_their_order(path):
    np.testing.assert_array_equal(Rows.open(path).flattened()[:], ARRAY.reshape(200, 3))


def test_an_array_that_fits_is_held_and_another_stays_on_disk(path, tmp_path, monkeypatch):
    monkeypatch.setenv(limits.HELD, "1")
    large = np.arange((1 << 18) + 1, dtype=np.float32)[:, None]
    np.save(tmp_path / "large.npy", large)
    assert isinstance(on_disk.opened(path), np.memmap)
    found = on_disk.opened(tmp_path / "large.npy")
    assert isinstance(found, Rows)
    order = np.random.default_rng(0).permutation(len(large))
    taken = on_disk.taken(found, order)
    assert isinstance(taken, Rows)
    np.testing.assert_array_equal(taken[:], large[order])
    some = on_disk.taken(found, order[:9])
    assert isinstance(some, np.ndarray)
    np.testing.assert_array_equal(some, large[order[:9]])
    np.testing.assert_array_equal(on_disk.converted(found, np.negative, np.float32)[:9], -large[:9])
    np.testing.assert_array_equal(on_disk.converted(large, np.negative, np.float32), -large)


def test_evenly_spaced_rows_fit(path, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv(limits.HELD, "1")
    assert on_disk.evenly(ARRAY, "drift") == slice(None)
    np.save(tmp_path / "large.npy", np.zeros((1 << 12, 1 << 10), np.uint8))
    with caplog.at_level(logging.INFO):
        chosen = on_disk.evenly(Rows.open(tmp_path / "large.npy"), "drift")
    np.testing.assert_array_equal(chosen, np.arange(256) * 16)
    assert "drift: from 256 of 4096 images, which fit in memory" in caplog.text


def test_files_that_are_no_rows(path, tmp_path):
    content = path.read_bytes()
    for number, damaged in enumerate((b"", content[:50], content[:-1], b"[1]")):
        (tmp_path / f"{number}.npy").write_bytes(damaged)
        with pytest.raises(ValueError):  # noqa: PT011  # NumPy has many messages
            Rows.open(tmp_path / f"{number}.npy")
    np.save(tmp_path / "fortran.npy", np.asfortranarray(ARRAY))
    with pytest.raises(ValueError, match="C order expected"):
        Rows.open(tmp_path / "fortran.npy")
    # Cut short after it was opened.
    (tmp_path / "short.npy").write_bytes(content)
    rows = Rows.open(tmp_path / "short.npy")
    (tmp_path / "short.npy").write_bytes(content[:-100])
    with pytest.raises(UserError, match="has become shorter"):
        rows[:]


def test_rows_of_an_array_in_another_file(path, tmp_path):
    (tmp_path / "archive").write_bytes(b"12345" + path.read_bytes())
    np.testing.assert_array_equal(Rows.open(tmp_path / "archive", 5)[:], ARRAY)
