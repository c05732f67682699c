"""Arrays that are larger than memory: written to a `.npy` file row by row, and read from it by index.

    with Writer(path, (64, 64, 3), "uint8") as writer:
        writer.append(image)
    rows = Rows.open(path)
    rows[[7, 3]]  # uint8 [2, 64, 64, 3], read now

Rows are read by system calls and not through a memory map, whose pages would count as the process's memory once they
are touched, and of which the system reads neighbors that no shuffled batch needs.
"""

import logging
import math
import operator
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from firmware_export.common import limits
from firmware_export.common.errors import UserError

logger = logging.getLogger("firmware_export")

PIECE = 16 << 20
"""Bytes that are read or computed at a time, at least one row."""


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in Fortran order, and type of the `.npy` array that begins here.

    Raises:
        ValueError: there is none.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


class Writer:
    """Writes a `.npy` file row by row; the number of rows need not be known before.

    Args:
        path: the file; an existing one is replaced.
        shape: of a row.
        dtype: of the array.
    """

    def __init__(self, path: Path, shape: Sequence[int], dtype: Any) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self.rows = 0
        self._file = path.open("wb")
        self._write_header()
        self._start = self._file.tell()

    def append(self, row: np.ndarray) -> None:
        """Add a row of the shape `shape`; it is converted to `dtype`."""
        self.extend(row[np.newaxis])

    def extend(self, rows: np.ndarray) -> None:
        """Add rows, [n, …shape]."""
        if rows.shape[1:] != self.shape:
            raise ValueError(f"rows are {rows.shape[1:]}, {self.shape} expected")
        self._file.write(np.ascontiguousarray(rows, self.dtype).data.cast("B") if rows.size else b"")
        self.rows += len(rows)

    def close(self) -> None:
        """Write the number of rows into the header, and close the file."""
        self._file.seek(0)
        self._write_header()
        # NumPy's header has room for any number of rows.
        assert self._file.tell() == self._start
        self._file.close()

    def _write_header(self) -> None:
        described = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.rows, *self.shape),
        }
        np.lib.format.write_array_header_1_0(self._file, described)

    def __enter__(self) -> "Writer":
        """The writer itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self.close()


class _File:
    """A file that stays open while some `Rows` read from it, also if its name goes to another file."""

    def __init__(self, path: Path) -> None:
        self.path, self.descriptor = path, os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.descriptor)

    def read_into(self, target: memoryview, offset: int) -> None:
        done = 0
        while done < len(target):
            read = os.preadv(self.descriptor, [target[done:]], offset + done)
            if not read:
                raise UserError(f"{self.path} has become shorter: remove it, and repeat the command")
            done += read


class Rows:
    """Rows of an array in a file, in any order. Stands for a read-only array of NumPy.

    A whole number, a slice, or an array of numbers gives these rows as an array in memory. `numpy.asarray` gives all,
    and the log says so.

    Attributes:
        shape: of the array.
        dtype: of the array.
    """

    def __init__(
        self,
        file: _File,
        offset: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        chosen: np.ndarray | None = None,
        convert: tuple[Callable[[np.ndarray], np.ndarray], np.dtype[Any]] | None = None,
    ) -> None:
        self._file, self._offset, self._stored, self._chosen, self._convert = file, offset, dtype, chosen, convert
        self.shape = (shape[0] if chosen is None else len(chosen), *shape[1:])
        self.dtype = dtype if convert is None else convert[1]

    @classmethod
    def open(cls, path: Path, offset: int = 0) -> "Rows":
        """The array in a `.npy` file, which may begin at an offset in another file.

        Raises:
            OSError: the file cannot be read.
            ValueError: it contains no array, or one that is not in C order, or not all of it.
        """
        with path.open("rb") as file:
            file.seek(offset)
            shape, is_fortran, dtype = read_header(file)
            start = file.tell()
        if is_fortran or dtype.hasobject or not shape:
            raise ValueError(f"it has {dtype} {list(shape)}, rows of numbers in C order expected")
        if path.stat().st_size < start + math.prod(shape) * dtype.itemsize:
            raise ValueError("it is cut short")
        return cls(_File(path), start, shape, dtype)

    ndim = property(lambda self: len(self.shape), doc="Number of dimensions.")
    size = property(lambda self: math.prod(self.shape), doc="Number of values.")
    nbytes = property(lambda self: self.size * self.dtype.itemsize, doc="Bytes of all rows.")

    def __len__(self) -> int:
        """Number of rows."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        """One row, or those of a slice or of an array of numbers or of bools, in memory."""
        if isinstance(key, slice):
            return self._read(np.arange(*key.indices(len(self))))
        if isinstance(key, tuple) or key is None or key is Ellipsis:
            raise TypeError(f"rows are chosen by numbers, not by {key!r}: read them first")
        numbers = np.asarray(key)
        if numbers.dtype == bool:
            return self._read(np.flatnonzero(numbers))
        if not numbers.ndim:
            return self._row(operator.index(key))
        return self._read(self._from_start(numbers))

    def _row(self, number: int) -> np.ndarray:
        if not -len(self) <= number < len(self):
            raise IndexError(f"row {number} of {len(self)}")
        stored = number % len(self) if self._chosen is None else int(self._chosen[number])
        found = np.empty((1, *self.shape[1:]), self._stored)
        target = found.data.cast("B") if found.size else memoryview(b"")
        self._file.read_into(target, self._offset + stored * found.nbytes)
        row: np.ndarray = (found if self._convert is None else self._convert[0](found))[0]
        return row

    def _from_start(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers of rows, of which negative ones count from the end, as int64 ≥ 0."""
        numbers = numbers.astype(np.int64, casting="same_kind" if numbers.size else "unsafe")
        if numbers.size and not (-len(self) <= numbers.min() and numbers.max() < len(self)):
            raise IndexError(f"rows {numbers.min()} to {numbers.max()} of {len(self)}")
        return np.where(numbers < 0, numbers + len(self), numbers)

    def __iter__(self) -> Iterator[np.ndarray]:
        """The rows one after another."""
        for piece in pieces(self):
            yield from piece

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All rows in memory."""
        logger.warning("all %d rows of %s are read into memory: %d MiB", len(self), self._file.path, self.nbytes >> 20)
        return self[:] if dtype is None else self[:].astype(dtype)

    def take(self, indices: np.ndarray) -> "Rows":
        """The rows with these numbers, int [M]; nothing is read."""
        numbers = self._from_start(indices)
        chosen = numbers if self._chosen is None else self._chosen[numbers]
        return Rows(self._file, self._offset, self.shape, self._stored, chosen, self._convert)

    def converted(self, convert: Callable[[np.ndarray], np.ndarray], dtype: Any) -> "Rows":
        """The rows after a function that keeps their shape, which is called with those that are read.

        Args:
            convert: arrays [n, …] of this dtype → of `dtype`. It replaces that of an earlier call.
            dtype: of its results.
        """
        return Rows(self._file, self._offset, self.shape, self._stored, self._chosen, (convert, np.dtype(dtype)))

    def flattened(self) -> "Rows":
        """Rows [N, V, …] as N·V rows […], in their order; of a whole file."""
        assert self._chosen is None
        assert self._convert is None
        shape = (self.shape[0] * self.shape[1], *self.shape[2:])
        return Rows(self._file, self._offset, shape, self._stored)

    def _read(self, numbers: np.ndarray) -> np.ndarray:
        """The rows with these numbers ≥ 0; neighbors in the file are read together."""
        stored = numbers if self._chosen is None else self._chosen[numbers]
        found = np.empty((len(stored), *self.shape[1:]), self._stored)
        if found.size:
            size = found[0].nbytes
            target = found.data.cast("B")
            ends = [*(np.flatnonzero(np.diff(stored) != 1) + 1).tolist(), len(stored)]
            first = 0
            for end in ends:
                self._file.read_into(target[first * size : end * size], self._offset + int(stored[first]) * size)
                first = end
        return found if self._convert is None else self._convert[0](found)


def rows_of(array: np.ndarray) -> Rows | None:
    """The `Rows` that stand for an array; None if it is one."""
    value: object = array
    return value if isinstance(value, Rows) else None


def opened(path: Path) -> np.ndarray:
    """The array of a `.npy` file: a read-only memory map, or `Rows` if it is larger than `limits.HELD`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it contains no array, or is cut short.
    """
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array if array.nbytes <= limits.limit(limits.HELD) else cast(np.ndarray, Rows.open(path))


def taken(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Rows of an array or of `Rows`, by number: a copy in memory, or `Rows` if they are larger than `limits.HELD`."""
    if (rows := rows_of(array)) is not None:
        chosen = rows.take(indices)
        return cast(np.ndarray, chosen) if chosen.nbytes > limits.limit(limits.HELD) else chosen[:]
    return np.asarray(array[indices])


def converted(array: np.ndarray, convert: Callable[[np.ndarray], np.ndarray], dtype: Any) -> np.ndarray:
    """An array after a function of its rows: computed now, or for `Rows` when they are read."""
    rows = rows_of(array)
    return convert(array) if rows is None else cast(np.ndarray, rows.converted(convert, dtype))


def pieces(array: Any, most: int = PIECE) -> Iterator[np.ndarray]:
    """The rows of an array or of `Rows` in their order, in arrays of at most `most` bytes, at least one row each."""
    rows = max(1, most * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def evenly(array: np.ndarray, purpose: str) -> slice | np.ndarray:
    """The rows that a computation takes which needs them all in memory: as many as fit, evenly spaced.

    Args:
        array: an array, of which it is all rows, or `Rows`.
        purpose: what they are for, in the log.
    """
    if rows_of(array) is None:
        return slice(None)
    number = max(1, limits.limit(limits.HELD) // 4 * len(array) // array.nbytes)
    logger.info("%s: from %d of %d images, which fit in memory", purpose, number, len(array))
    return np.arange(number) * len(array) // number
