"""Encoded images (JPEG, PNG, TIFF, whatever Pillow reads) -> one uint8 array."""

import functools
import io
import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tqdm import tqdm

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import ImageSet

# Pillow identifies these but decodes them only with programs or handlers that few people have.
_FORMATS_WITHOUT_DECODER = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}

# Images in flight: enough to keep every core busy, few enough that undecoded bytes stay small.
_CHUNK = 1024


@dataclass(frozen=True)
class EncodedImage:
    """An image not yet read: its name in the set, its class, and where its bytes come from."""

    file: str
    label: int
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Decoded:
    """What decoding gave.

    Attributes:
        image_set: the readable images.
        unreadable: `file: reason` of every image that could not be decoded.
        sizes: how many images had which size before resizing, as `{"64x64": 24300}` (width x height).
    """

    image_set: ImageSet
    unreadable: tuple[str, ...]
    sizes: dict[str, int]


@functools.cache
def image_extensions() -> frozenset[str]:
    """Lower-case file name endings, with their dot, that Pillow can decode."""
    Image.init()
    formats = set(Image.OPEN) - _FORMATS_WITHOUT_DECODER
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in formats)


def decode_all(images: Iterable[EncodedImage], total: int, class_names: tuple[str, ...], image_size: int) -> Decoded:
    """Decode `images` (`total` of them at most) to RGB at `image_size`, in threads, with a progress bar on a terminal.

    An image that cannot be read or decoded is left out and named in `unreadable`.

    Raises:
        UserError: the decoded images do not fit into memory.
    """
    pixels = empty_images(total, image_size)
    files: list[str] = []
    labels: list[int] = []
    unreadable: list[str] = []
    sizes: Counter[str] = Counter()
    remaining = iter(images)
    with ThreadPoolExecutor() as pool, tqdm(total=total, desc="decoding", unit="image", disable=None) as progress:
        while chunk := list(itertools.islice(remaining, _CHUNK)):
            for image, outcome in zip(chunk, pool.map(lambda image: _attempt(image, image_size), chunk), strict=True):
                if isinstance(outcome, str):
                    unreadable.append(f"{image.file}: {outcome}")
                    continue
                pixels[len(files)], size = outcome
                files.append(image.file)
                labels.append(image.label)
                sizes[size] += 1
            progress.update(len(chunk))
    image_set = ImageSet(pixels[: len(files)], np.array(labels, np.int32), tuple(files), class_names)
    return Decoded(image_set, tuple(unreadable), dict(sizes.most_common()))


def empty_images(number: int, image_size: int) -> np.ndarray:
    """Room for images: uint8 [number, image_size, image_size, 3], not yet filled.

    Raises:
        UserError: so much memory is not to be had.
    """
    try:
        return np.empty((number, image_size, image_size, 3), np.uint8)
    except (MemoryError, ValueError):
        needed = number * image_size**2 * 3 / 2**30
        raise UserError(
            f"{number} images at {image_size}x{image_size} need {needed:,.0f} GiB of memory: "
            f"choose a smaller --data.image-size"
        ) from None


def _attempt(image: EncodedImage, image_size: int) -> tuple[np.ndarray, str] | str:
    try:
        return decode(image.read(), image_size)
    # Broken files make Pillow's plugins and zipfile raise nearly anything: struct.error, SyntaxError, RuntimeError.
    except Exception as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__


def decode(content: bytes, image_size: int) -> tuple[np.ndarray, str]:
    """One encoded image as uint8 [image_size, image_size, 3] RGB, and its size before resizing (`"64x64"`).

    Other sizes are resized bilinearly with antialiasing; the aspect ratio is not kept. 16-bit gray is brought to 8.

    Raises:
        Exception: whatever Pillow raises when the bytes are no image or stop too early.
    """
    with Image.open(io.BytesIO(content)) as image:
        size = f"{image.width}x{image.height}"
        rgb = _to_rgb(image)
    if rgb.size != (image_size, image_size):
        rgb = rgb.resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(rgb), size


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255, which leaves a white image.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
