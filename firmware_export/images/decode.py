"""Decode the images of a set into one array, in threads."""

import contextlib
import functools
import io
import itertools
import math
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from firmware_export.common import limits
from firmware_export.common.errors import UserError
from firmware_export.images import samples as files
from firmware_export.images.collect import InMemory, OnDisk, collector
from firmware_export.images.image_set import ImageSet
from firmware_export.images.reading import EmptySamplesError, Reading
from firmware_export.images.samples import Samples
from firmware_export.images.windows import Window, whole, windows

# Pillow identifies these formats but needs external programs or handlers to decode them.
_FORMATS_WITHOUT_DECODER = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}

# Images decoded at a time: enough to keep all cores busy, few enough to limit the memory for undecoded bytes, and for
# the arrays, of as many bytes.
_CHUNK = 1024
_CHUNK_BYTES = 64 << 20
_TASKS = 64
"""Tasks of a full chunk."""


# Files of more bytes are read and decoded one at a time.
_LARGE_FILE = 16 << 20

# While an image is decoded: its samples, and a converted copy.
_COPIES = 2

_ARRAYS = (".npy", ".npz")


@dataclass(frozen=True, slots=True)
class FileReader:
    """Reads the bytes of an image file whose size is known before.

    Attributes:
        size: bytes of the file, as the folder or zip states it.
        read_all: reads them.
        path: the file, if it is not in a zip.
    """

    size: int
    read_all: Callable[[], bytes]
    path: Path | None = None

    def __call__(self) -> bytes:
        """The file's bytes.

        Raises:
            ValueError: the file is larger than the limit.
        """
        limits.check(limits.IMAGE, self.size, "the file")
        return self.read_all()


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image that is not yet read.

    Attributes:
        file: its name in the set.
        label: its class.
        read: returns its bytes, or its samples if they are not in a file.
        part: one of `image_set.PARTS`, if the set came split.
    """

    file: str
    label: int
    read: Callable[[], bytes | Samples]
    part: str | None = None


@dataclass(frozen=True)
class Decoded:
    """The result of decoding.

    Attributes:
        image_set: the readable images.
        unreadable: `file: reason` for every image or tile that could not be decoded or holds nothing.
        sizes: number of images by size before resizing (width x height), such as `{"64x64": 24300}`.
        transparent: number of pictures with transparency, which was dropped.
    """

    image_set: ImageSet
    unreadable: tuple[str, ...]
    sizes: dict[str, int]
    transparent: int = 0


@functools.cache
def image_extensions() -> frozenset[str]:
    """File name extensions of arrays and of all formats that Pillow can decode, in lower case and with the dot."""
    Image.init()
    formats = set(Image.OPEN) - _FORMATS_WITHOUT_DECODER
    pictures = (ending for ending, name in Image.registered_extensions().items() if name in formats)
    return frozenset((*pictures, *_ARRAYS))


def decode_all(
    images: Iterable[EncodedImage],
    total: int,
    class_names: tuple[str, ...],
    reading: Reading,
    target: Path | None = None,
) -> Decoded:
    """Decode images in threads, with a progress bar on a terminal.

    An image that cannot be read or decoded is left out and listed in `unreadable`.

    Args:
        images: the images; the result keeps their order. Either all have a part or none has.
        total: upper bound on the number of images.
        class_names: the labels are positions in this tuple.
        reading: shape and type of the arrays; float32 becomes uint16 if all samples are whole numbers.
        target: a `.npy` file to which the images are written as they are decoded; the result has them as
            `on_disk.Rows` of it. None: they stay in memory.

    Raises:
        UserError: an image does not fit `reading`, or the decoded images do not fit in memory.
        OSError: the file cannot be written.
    """
    with contextlib.ExitStack() as opened:
        arrays = opened.enter_context(collector(target, reading, 0 if reading.tile is not None else total))
        found = _Found(arrays, reading)
        remaining = iter(images)
        memory = _Memory()
        pool = opened.enter_context(ThreadPoolExecutor())
        progress = opened.enter_context(tqdm(total=total, desc="decoding", unit="image", disable=None))
        number = _at_a_time(reading)
        while chunk := list(itertools.islice(remaining, number)):
            # A task for each image would take longer than to decode a small one.
            size = max(1, len(chunk) // _TASKS)
            tasks = [chunk[start : start + size] for start in range(0, len(chunk), size)]
            decoded = pool.map(lambda task: [_attempt(image, reading, memory) for image in task], tasks)
            for image, outcome in zip(chunk, itertools.chain.from_iterable(decoded), strict=True):
                found.add(image, outcome)
            progress.update(len(chunk))
    return found.decoded(class_names)


def _at_a_time(reading: Reading) -> int:
    """How many images are decoded at a time. A raster that is cut into tiles may be large."""
    if reading.tile is not None:
        return 2 * (os.cpu_count() or 1)
    size = math.prod(reading.shape) * np.dtype(reading.dtype).itemsize
    return max(2 * (os.cpu_count() or 1), min(_CHUNK, _CHUNK_BYTES // size))


class _Found:
    """What has been decoded so far."""

    def __init__(self, arrays: InMemory | OnDisk, reading: Reading) -> None:
        self.arrays, self.bands = arrays, reading.bands
        self.readable: list[EncodedImage] = []
        self.unreadable: list[str] = []
        self.sizes: Counter[str] = Counter()
        self.transparent = 0

    def add(self, image: EncodedImage, outcome: "_Outcome | str") -> None:
        if isinstance(outcome, str):
            self.unreadable.append(f"{image.file}: {outcome}")
            return
        self.unreadable += outcome.empty
        if not outcome.arrays:
            return
        for suffix, array in outcome.arrays:
            self.arrays.append(array)
            self.readable.append(replace(image, file=image.file + suffix))
        self.sizes[outcome.size] += 1
        self.transparent += outcome.is_transparent

    def decoded(self, class_names: tuple[str, ...]) -> Decoded:
        image_set = ImageSet(
            self.arrays.finished(),
            np.array([image.label for image in self.readable], np.int32),
            tuple(image.file for image in self.readable),
            class_names,
            tuple(image.part for image in self.readable if image.part is not None),
            bands=self.bands,
        )
        return Decoded(image_set, tuple(self.unreadable), dict(self.sizes.most_common()), self.transparent)


def count_unreadable(unreadable: Sequence[str]) -> str:
    """A summary of a non-empty `Decoded.unreadable`, such as `2 unreadable images, the first is Forest/8.jpg: …`."""
    plural = "s" if len(unreadable) > 1 else ""
    return f"{len(unreadable)} unreadable image{plural}, the first is {unreadable[0]}"


class _Memory:
    """The memory of all decoding threads together."""

    def __init__(self) -> None:
        self.pixels = limits.Budget(_COPIES * limits.limit(limits.IMAGE))
        self.large_file = threading.Lock()


@dataclass(frozen=True, eq=False)
class _Outcome:
    arrays: list[tuple[str, np.ndarray]]
    empty: list[str]
    size: str
    is_transparent: bool


def _attempt(image: EncodedImage, reading: Reading, memory: _Memory) -> _Outcome | str:
    size = image.read.size if isinstance(image.read, FileReader) else 0
    try:
        with memory.large_file if size > _LARGE_FILE else contextlib.nullcontext():
            return _decoded(image, reading, memory.pixels)
    except UserError:
        raise
    except UnidentifiedImageError:
        return "not an image of a known format"
    # On damaged files, the libraries and zipfile raise almost any exception, even struct.error or SyntaxError.
    except Exception as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__


def _decoded(image: EncodedImage, reading: Reading, memory: limits.Budget) -> _Outcome:
    arrays: list[tuple[str, np.ndarray]] = []
    empty: list[str] = []
    size, is_transparent = "", False
    with contextlib.ExitStack() as opened:

        def reserve(needed: int) -> None:
            opened.enter_context(memory.take(_COPIES * needed))

        for window in _windows(image, reading.tile, opened, reserve):
            for suffix, piece in reading.cut(window.samples, image.file, window.top):
                try:
                    arrays.append((suffix, reading.array(piece, image.file + suffix)))
                except EmptySamplesError as error:
                    empty.append(f"{image.file}{suffix}: {error}")
            size, found = window.size, window.samples
            has_alpha = reading.bands is None and found.bands in (2, 4)
            is_transparent |= has_alpha and bool((found.pixels[..., -1] < 255).any())
    return _Outcome(arrays, empty, size, is_transparent)


def _windows(
    image: EncodedImage, tile: int | None, opened: contextlib.ExitStack, reserve: Callable[[int], None]
) -> Iterator[Window]:
    """The samples of an image: all at once, or windows of a large raster that is to be cut into tiles.

    Args:
        image: the image.
        tile: as `Reading.tile`.
        opened: keeps the file open.
        reserve: as in `samples.read`.
    """
    if tile is not None and isinstance(image.read, FileReader) and image.read.path is not None:
        parts = windows(opened.enter_context(image.read.path.open("rb")), tile, reserve)
        if parts is not None:
            yield from parts
            return
    content = image.read()
    if isinstance(content, Samples):
        yield whole(content)
        return
    parts = None if tile is None else windows(io.BytesIO(content), tile, reserve)
    yield from (whole(files.read(content, reserve)),) if parts is None else parts


def first_samples(images: Iterable[EncodedImage], tile: int | None = None) -> Samples | None:
    """The samples of the first image that can be read, or of its first window; None if there is none."""
    for image in images:
        with contextlib.suppress(Exception), contextlib.ExitStack() as opened:
            return next(_windows(image, tile, opened, lambda needed: None)).samples
    return None
