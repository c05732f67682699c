"""Collects the arrays of decoded images: in memory, or in a `.npy` file that may be larger than memory."""

import math
import shutil
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import cast

import numpy as np

from firmware_export.common import limits, on_disk
from firmware_export.common.errors import UserError
from firmware_export.images.reading import Reading, whole_numbers

_ADVICE = "give fewer images, or choose a smaller --data.image-size or model input"


def collector(target: Path | None, reading: Reading, total: int) -> AbstractContextManager["InMemory | OnDisk"]:
    """Where arrays of `reading.shape` are collected.

    Args:
        target: a `.npy` file; None: memory.
        reading: shape and type of the arrays.
        total: their number, or 0 if it is not known.

    Raises:
        UserError: an array is larger than `limits.IMAGE`, or all are than the memory or the free space on the disk.
    """
    size = math.prod(reading.shape) * np.dtype(reading.dtype).itemsize
    if size > limits.limit(limits.IMAGE):
        raise UserError(
            f"an image at {reading.width}x{reading.height} takes {size >> 20:,} MiB, more than "
            f"{limits.limit(limits.IMAGE) >> 20:,}: {_ADVICE}"
        )
    if target is None:
        return nullcontext(InMemory(reading, total))
    free = shutil.disk_usage(target.parent).free
    if total * size > free:
        raise UserError(
            f"{total} images at {reading.width}x{reading.height} need {total * size / 2**30:,.0f} GiB, and "
            f"{free / 2**30:,.0f} are free where they are cached: {_ADVICE}, or another --data.cache-dir"
        )
    return closing(OnDisk(target, reading))


class InMemory:
    """Arrays in memory: in one array if their number is known, or in a list."""

    def __init__(self, reading: Reading, total: int) -> None:
        self._shape, self._dtype = reading.shape, reading.dtype
        self._pixels = empty_images(total, reading.shape, reading.dtype)
        self._number = 0
        self._more: list[np.ndarray] = []

    def append(self, array: np.ndarray) -> None:
        """Add an array."""
        if self._number < len(self._pixels):
            self._pixels[self._number] = array
            self._number += 1
        else:
            self._more.append(array)

    def finished(self) -> np.ndarray:
        """All of them; those of the list are freed as they are copied, so that they do not take their memory twice."""
        if not self._more:
            return whole_numbers(self._pixels[: self._number])
        found = empty_images(self._number + len(self._more), self._shape, self._dtype)
        found[: self._number] = self._pixels[: self._number]
        self._more.reverse()
        for target in found[self._number :]:
            target[:] = self._more.pop()
        return whole_numbers(found)


class OnDisk:
    """Arrays in a `.npy` file."""

    def __init__(self, path: Path, reading: Reading) -> None:
        self._path, self._writer = path, on_disk.Writer(path, reading.shape, reading.dtype)
        self.append, self.close = self._writer.append, self._writer.close

    def finished(self) -> np.ndarray:
        """All of them, as `Rows`; the file is closed."""
        narrow(self._path)
        return cast(np.ndarray, on_disk.Rows.open(self._path))


def narrow(path: Path) -> None:
    """`whole_numbers` of the array in a `.npy` file, which is replaced if it becomes uint16.

    Raises:
        OSError: the file cannot be read or written.
    """
    rows = on_disk.Rows.open(path)
    if rows.dtype != np.float32 or not len(rows):
        return
    largest = 0.0
    for piece in on_disk.pieces(rows):
        if piece.min() < 0 or piece.max() > 65535 or (piece != np.floor(piece)).any():
            return
        largest = max(largest, float(piece.max()))
    if largest <= 1:
        return
    beside = path.with_name(f"narrow-{path.name}")
    with on_disk.Writer(beside, rows.shape[1:], np.uint16) as writer:
        for piece in on_disk.pieces(rows):
            writer.extend(piece)
    beside.replace(path)


def empty_images(number: int, shape: tuple[int, int, int], dtype: str = "uint8") -> np.ndarray:
    """Allocate memory for images: [number, height, width, channels] of `dtype`, uninitialized.

    Raises:
        UserError: the memory cannot be allocated.
    """
    try:
        return np.empty((number, *shape), dtype)
    except (MemoryError, ValueError):
        needed = number * math.prod(shape) * np.dtype(dtype).itemsize / 2**30
        raise UserError(
            f"{number} images at {shape[1]}x{shape[0]} need {needed:,.0f} GiB of memory: {_ADVICE}"
        ) from None
