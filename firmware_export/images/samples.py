"""The samples of an image file as they are stored: any number of bands, 8 to 16 bits or float.

TIFF of many bands, pages or bits is read by tifffile, 16-bit color PNG and JPEG 2000 by imagecodecs, everything else by
Pillow.
"""

import io
import logging
import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from firmware_export.common import limits
from firmware_export.images import tiff_pages

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_2000 = (b"\0\0\0\x0cjP  ", b"\xffO\xffQ")
_NPY, _ZIP = b"\x93NUMPY", b"PK\3\4"

LARGEST_SIDE = 8192
"""Pixels: an image whose sides are both longer is a raster to be cut into tiles, not a picture to be shrunk."""

USUAL_NODATA = (-9999.0, -32768.0, float(np.finfo(np.float32).min))
"""Samples of these values hold nothing if the file does not state another value."""

_KEPT = ("uint8", "uint16")
"""Types that stay as they are."""

_Reserve = Callable[[int], Any]


@dataclass(frozen=True, eq=False)
class Samples:
    """An image as its file stores it.

    Attributes:
        pixels: uint8, uint16 or float32 [H, W, B]. Signed and 32-bit integers are float32, as they need not fit.
        is_picture: whether it is an ordinary picture: 8 bits, and gray or RGB, perhaps with transparency.
        band_names: B names, if the file gives them; otherwise empty.
        nodata: the value of samples that hold nothing, if the file states one.
    """

    pixels: np.ndarray
    is_picture: bool = False
    band_names: tuple[str, ...] = ()
    nodata: float | None = None

    @property
    def bands(self) -> int:
        """B."""
        return int(self.pixels.shape[2])

    @property
    def is_empty(self) -> np.ndarray:
        """Where samples are NaN, infinite or nodata: bool [H, W, B]."""
        if self.pixels.dtype != np.float32:
            empty = np.zeros(self.pixels.shape, bool)
        elif self.nodata is None:
            empty = ~np.isfinite(self.pixels) | np.isin(self.pixels, USUAL_NODATA)
        else:
            empty = ~np.isfinite(self.pixels)
        return empty if self.nodata is None else empty | (self.pixels == np.float32(self.nodata))


def read(content: bytes, reserve: _Reserve = lambda needed: None) -> Samples:
    """Read an image file.

    The orientation that its EXIF or TIFF tags state is applied.

    Args:
        content: of the file: TIFF, PNG, `.npy`, `.npz`, or any format that Pillow reads.
        reserve: called with the bytes that the samples take, before they are decoded.

    Raises:
        Exception: any exception of the libraries, if the content is damaged.
        ValueError: the samples are of another type, or take more memory than `limits.IMAGE`.
        UnidentifiedImageError: the format is unknown.
    """
    if content.startswith(_NPY):
        return of_array(_read_npy(io.BytesIO(content), reserve))
    if content.startswith(_ZIP):
        return of_array(_read_npz(content, reserve))
    if is_tiff(content):
        return _read_tiff(content, reserve)
    if is_deep_png(content) or content.startswith(_JPEG_2000):
        return _read_with_imagecodecs(content, reserve)
    return _read_picture(content, reserve)


def is_deep_png(content: bytes) -> bool:
    """Whether a file is a PNG of 16 bits and more than one band, of which Pillow drops the lower 8 bits."""
    return content.startswith(_PNG) and content[24:25] == b"\x10" and content[25:26] != b"\0"


def _read_picture(content: bytes, reserve: _Reserve) -> Samples:
    # `limits` replaces Pillow's own limit, which users could not raise.
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(io.BytesIO(content)) as image:
        _check_size(image.width, image.height, 4, reserve)
        # Pillow scales the values of a wide PGM to 16 bits.
        is_wide = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")
        turned = ImageOps.exif_transpose(image)
        if is_wide:
            return Samples(np.asarray(turned).astype(np.uint16)[..., np.newaxis])
        if turned.mode in ("I", "F"):
            return Samples(np.asarray(turned).astype(np.float32)[..., np.newaxis])
        if turned.mode in ("P", "PA") or "transparency" in turned.info:
            is_opaque = turned.mode != "PA" and "transparency" not in turned.info
            turned = turned.convert("RGB" if is_opaque else "RGBA")
        elif turned.mode not in ("L", "LA", "RGB", "RGBA"):
            turned = turned.convert("L" if turned.mode == "1" else "RGB")
        pixels = np.asarray(turned)
        return Samples(pixels.reshape(*pixels.shape[:2], -1), is_picture=True)


def _read_with_imagecodecs(content: bytes, reserve: _Reserve) -> Samples:
    import imagecodecs

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(io.BytesIO(content)) as image:
        _check_size(image.width, image.height, 8, reserve)
        orientation = image.getexif().get(tiff_pages.ORIENTATION, 1)
        is_picture = image.mode in ("L", "LA", "RGB", "RGBA", "P") and not is_deep_png(content)
    decode = imagecodecs.png_decode if content.startswith(_PNG) else imagecodecs.jpeg2k_decode
    found = of_array(np.atleast_3d(decode(content)), is_bands_last=True)
    is_picture = is_picture and found.pixels.dtype == np.uint8
    return replace(found, pixels=_oriented(found.pixels, orientation), is_picture=is_picture)


def _read_tiff(content: bytes, reserve: _Reserve) -> Samples:
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it also raises what it logs
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        pages = tiff_pages.pages_of(file)
        if not pages:
            raise UnidentifiedImageError("a TIFF without an image")
        first = pages[0]
        if len(pages) == 1 and tiff_pages.is_for_pillow(first):
            return _read_picture(content, reserve)
        _check_size(
            first.imagewidth, first.imagelength, len(pages) * first.samplesperpixel * first.dtype.itemsize, reserve
        )
        tiff_pages.check(pages)
        found = of_array(tiff_pages.pixels_of(pages), is_bands_last=True)
        return described(pages, _oriented(found.pixels, tiff_pages.orientation_of(first)))


def is_tiff(content: bytes) -> bool:
    """Whether content begins as a TIFF does."""
    return content.startswith(_TIFF)


def described(pages: Sequence[Any], pixels: np.ndarray) -> Samples:
    """Samples [H, W, B] of a TIFF's pages with what its tags say of them."""
    first, bands = pages[0], pixels.shape[2]
    # An alpha channel that is declared as such is no band, in an ordinary picture.
    is_picture = pixels.dtype == np.uint8 and len(pages) == 1 and (bands in (1, 3) or tiff_pages.has_alpha(first))
    return Samples(pixels, is_picture, tiff_pages.band_names(first, bands), tiff_pages.nodata_of(first))


def _oriented(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The image upright, from the value of the tag `Orientation` (TIFF 6.0)."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    rows, columns = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(orientation, (1, 1))
    return np.ascontiguousarray(pixels[::rows, ::columns])


def _read_npy(file: io.BytesIO, reserve: _Reserve) -> np.ndarray:
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    needed = math.prod(shape) * dtype.itemsize
    limits.check(limits.IMAGE, needed, f"an array of {list(shape)}")
    reserve(needed)
    file.seek(0)
    array: np.ndarray = np.load(file, allow_pickle=False)
    return array


def _read_npz(content: bytes, reserve: _Reserve) -> np.ndarray:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        if len(names) != 1:
            raise ValueError(f"it has {len(names)} arrays, one expected: save the image as .npy")
        limits.check(limits.IMAGE, archive.getinfo(names[0]).file_size, names[0])
        return _read_npy(io.BytesIO(archive.read(names[0])), reserve)


def of_array(array: np.ndarray, *, is_bands_last: bool = False) -> Samples:
    """An image in an array of numbers.

    Args:
        array: [H, W] or [H, W, B]; or [B, H, W], if H and W are equal and more than B.
        is_bands_last: it is not [B, H, W].

    Raises:
        ValueError: it has another shape, or one that may be either; holds no numbers; or is empty.
    """
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.ndim != 3 or array.dtype.kind not in "uif" or not array.size:
        raise ValueError(f"{array.dtype} {list(array.shape)}: numbers [height, width, bands] expected")
    if not is_bands_last and array.shape[0] < min(array.shape[1:]):
        if array.shape[1] != array.shape[2]:
            raise ValueError(
                f"{list(array.shape)} may be bands, height, width or height, width, bands: save height, width, bands "
                "with fewer bands than rows, or a GeoTIFF"
            )
        array = np.moveaxis(array, 0, -1)  # as rasterio gives it
    return Samples(np.ascontiguousarray(array if array.dtype.name in _KEPT else array.astype(np.float32)))


def _check_size(width: int, height: int, bytes_per_pixel: int, reserve: _Reserve) -> None:
    """Refuse an image that is too large, and reserve the memory of others, before it is decoded."""
    needed, what = bytes_per_pixel * width * height, f"an image of {width}x{height} pixels"
    if min(width, height) > LARGEST_SIDE:
        what = f"(cut a raster into tiles with --data.tile 64) {what}"
    limits.check(limits.IMAGE, needed, what)
    reserve(needed)
