"""Decode images (JPEG, PNG, TIFF and all other formats that Pillow reads) into one uint8 array."""

import contextlib
import functools
import io
import itertools
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from firmware_export.common import limits
from firmware_export.common.errors import UserError
from firmware_export.images.image_set import ImageSet

# Pillow identifies these formats but needs external programs or handlers to decode them.
_FORMATS_WITHOUT_DECODER = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}

# Images decoded at a time: enough to keep all cores busy, few enough to limit the memory for undecoded bytes.
_CHUNK = 1024


# Files of more bytes are read and decoded one at a time.
_LARGE_FILE = 16 << 20

# Bytes per pixel while an image is decoded: Pillow's own, and a converted copy.
_PER_PIXEL, _COPIES = 4, 2


@dataclass(frozen=True)
class FileReader:
    """Reads the bytes of an image file whose size is known before.

    Attributes:
        size: bytes of the file, as the folder or zip states it.
        read_all: reads them.
    """

    size: int
    read_all: Callable[[], bytes]

    def __call__(self) -> bytes:
        """The file's bytes.

        Raises:
            ValueError: the file is larger than the limit.
        """
        limits.check(limits.IMAGE, self.size, "the file")
        return self.read_all()


@dataclass(frozen=True)
class EncodedImage:
    """An image that is not yet read.

    Attributes:
        file: its name in the set.
        label: its class.
        read: returns its bytes.
        part: one of `image_set.PARTS`, if the set came split.
    """

    file: str
    label: int
    read: Callable[[], bytes]
    part: str | None = None


@dataclass(frozen=True)
class Decoded:
    """The result of decoding.

    Attributes:
        image_set: the readable images.
        unreadable: `file: reason` for every image that could not be decoded.
        sizes: number of images by size before resizing (width x height), such as `{"64x64": 24300}`.
    """

    image_set: ImageSet
    unreadable: tuple[str, ...]
    sizes: dict[str, int]


@functools.cache
def image_extensions() -> frozenset[str]:
    """File name extensions of all formats that Pillow can decode, in lower case and with the dot."""
    Image.init()
    formats = set(Image.OPEN) - _FORMATS_WITHOUT_DECODER
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in formats)


def decode_all(
    images: Iterable[EncodedImage], total: int, class_names: tuple[str, ...], shape: tuple[int, int, int]
) -> Decoded:
    """Decode images in threads and resize them to `shape`, with a progress bar on a terminal.

    An image that cannot be read or decoded is left out and listed in `unreadable`.

    Args:
        images: the images; the result keeps their order. Either all have a part or none has.
        total: upper bound on the number of images.
        class_names: the labels are positions in this tuple.
        shape: height, width, and 3 channels (RGB) or 1 (gray).

    Raises:
        UserError: the decoded images do not fit in memory.
    """
    pixels = empty_images(total, shape)
    readable: list[EncodedImage] = []
    unreadable: list[str] = []
    sizes: Counter[str] = Counter()
    remaining = iter(images)
    memory = _Memory()
    with ThreadPoolExecutor() as pool, tqdm(total=total, desc="decoding", unit="image", disable=None) as progress:
        while chunk := list(itertools.islice(remaining, _CHUNK)):
            for image, outcome in zip(
                chunk, pool.map(lambda image: _attempt(image, shape, memory), chunk), strict=True
            ):
                if isinstance(outcome, str):
                    unreadable.append(f"{image.file}: {outcome}")
                    continue
                pixels[len(readable)], size = outcome
                readable.append(image)
                sizes[size] += 1
            progress.update(len(chunk))
    image_set = ImageSet(
        pixels[: len(readable)],
        np.array([image.label for image in readable], np.int32),
        tuple(image.file for image in readable),
        class_names,
        tuple(image.part for image in readable if image.part is not None),
    )
    return Decoded(image_set, tuple(unreadable), dict(sizes.most_common()))


def count_unreadable(unreadable: Sequence[str]) -> str:
    """A summary of a non-empty `Decoded.unreadable`, such as `2 unreadable images, the first is Forest/8.jpg: …`."""
    plural = "s" if len(unreadable) > 1 else ""
    return f"{len(unreadable)} unreadable image{plural}, the first is {unreadable[0]}"


def empty_images(number: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Allocate memory for images: uint8 [number, height, width, channels], uninitialized.

    Raises:
        UserError: the memory cannot be allocated.
    """
    try:
        return np.empty((number, *shape), np.uint8)
    except (MemoryError, ValueError):
        needed = number * math.prod(shape) / 2**30
        raise UserError(
            f"{number} images at {shape[1]}x{shape[0]} need {needed:,.0f} GiB of memory: give fewer images, or choose "
            "a smaller --data.image-size or model input"
        ) from None


class _Memory:
    """The memory of all decoding threads together."""

    def __init__(self) -> None:
        self.pixels = limits.Budget(_COPIES * limits.limit(limits.IMAGE))
        self.large_file = threading.Lock()


def _attempt(image: EncodedImage, shape: tuple[int, int, int], memory: _Memory) -> tuple[np.ndarray, str] | str:
    size = image.read.size if isinstance(image.read, FileReader) else 0
    try:
        with memory.large_file if size > _LARGE_FILE else contextlib.nullcontext():
            return decode(image.read(), shape, memory.pixels)
    except UnidentifiedImageError:
        return "not an image of a known format"
    # On damaged files, Pillow's plugins and zipfile raise almost any exception, even struct.error or SyntaxError.
    except Exception as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__


def decode(content: bytes, shape: tuple[int, int, int], memory: limits.Budget | None = None) -> tuple[np.ndarray, str]:
    """Decode one image to uint8 of `shape`; also return its size before resizing (`"64x64"`, width x height).

    Images of another size are resized bilinearly with antialiasing; the aspect ratio is not kept. 16-bit gray is
    converted to 8 bits by dropping the lower 8 bits. Transparency is dropped.

    Args:
        content: the file's bytes.
        shape: height, width, and 3 channels (RGB) or 1 (gray).
        memory: shared with other threads that decode at the same time.

    Raises:
        Exception: any exception of Pillow, if the bytes are not an image or are truncated.
        ValueError: 32-bit pixels outside 0..255, or in 0..1; or the image is larger than `limits.IMAGE`.
    """
    with _opened(content) as image:
        needed = _PER_PIXEL * image.width * image.height
        limits.check(limits.IMAGE, needed, f"an image of {image.width}x{image.height} pixels")
        with contextlib.nullcontext() if memory is None else memory.take(_COPIES * needed):
            return _decoded(image, shape)


@contextlib.contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    # `limits` replaces Pillow's own limit, which users could not raise.
    Image.MAX_IMAGE_PIXELS = None
    image = Image.open(io.BytesIO(content))
    with image:
        yield image


def _decoded(image: Image.Image, shape: tuple[int, int, int]) -> tuple[np.ndarray, str]:
    height, width, channels = shape
    size = f"{image.width}x{image.height}"
    converted = _to_rgb(image)
    if channels == 1:
        converted = converted.convert("L")
    if converted.size != (width, height):
        converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(converted).reshape(shape), size


def _to_rgb(image: Image.Image) -> Image.Image:
    # Pillow's own conversion of 16-bit gray clips at 255, which results in a white image.
    is_wide_pgm = image.mode == "I" and image.format == "PPM"  # Pillow scales its values to 16 bits
    if image.mode.startswith("I;16") or is_wide_pgm:
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        _check_range(image)
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _check_range(image: Image.Image) -> None:
    low, high = cast("tuple[float, float]", image.getextrema())
    # Values up to 1 are reflectances: converted to 8 bits, they would all be black.
    if low < 0 or high > 255 or 0 < high <= 1:
        raise ValueError(f"32-bit pixels are {low:g} to {high:g}, 0 to 255 expected: save it with 8 or 16 bits")
