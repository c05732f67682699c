"""A large TIFF read by rows of tiles, so that a raster need not fit into memory."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from firmware_export.common import limits
from firmware_export.images import samples, tiff_pages
from firmware_export.images.samples import Samples

_LARGE = 8
"""A raster is read by windows if its samples take more than this part of the memory of an image."""

_CONTIGUOUS_PLANES = 2

_PLAIN_COLORS = (1, 2)
"""Black is zero, and RGB: samples of other color spaces are no bands."""

_JPEG = (6, 7, 33007, 34892)
"""Compressions whose segments cannot be decoded one by one without tables of the whole file."""


@dataclass(frozen=True, eq=False)
class Window:
    """Some rows of an image, or all.

    Attributes:
        samples: of the rows, over the full width.
        top: the first row.
        size: of the whole image, width x height, such as `64x64`.
    """

    samples: Samples
    top: int
    size: str


def whole(samples: Samples) -> Window:
    """All rows of an image."""
    return Window(samples, 0, f"{samples.pixels.shape[1]}x{samples.pixels.shape[0]}")


def windows(file: BinaryIO, rows: int, reserve: Callable[[int], None]) -> Iterator[Window] | None:
    """Windows of a TIFF from the top to the bottom, each over the full width.

    Args:
        file: the TIFF, open as long as the windows are read.
        rows: height of a window in pixels; what is left at the bottom is dropped.
        reserve: called with the bytes that a window takes, before the first one is read.

    Returns:
        None if the file is no TIFF, is small or not as high as a window, or can only be read as a whole.

    Raises:
        Exception: any exception of the library, if the file is damaged.
        ValueError: a window, with the strips or tiles that it is in, needs more memory than `limits.IMAGE`.
    """
    start = file.read(4)
    file.seek(0)
    if not samples.is_tiff(start):
        return None
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it also raises what it logs
    pages = tiff_pages.pages_of(tifffile.TiffFile(file))
    if not pages or not _is_large(pages) or not all(_has_plain_samples(page, pages[0]) for page in pages):
        return None
    if pages[0].imagelength < rows or tiff_pages.are_rows(pages):
        return None
    return _windows([_Page(file, page) for page in pages], rows, reserve)


def _is_large(pages: list[Any]) -> bool:
    needed: int = sum(page.imagewidth * page.imagelength * page.samplesperpixel * page.dtype.itemsize for page in pages)
    return needed > limits.limit(limits.IMAGE) // _LARGE


def _has_plain_samples(page: Any, first: Any) -> bool:
    return bool(
        page.shape == first.shape
        and page.dtype == first.dtype
        and int(page.photometric) in _PLAIN_COLORS
        and int(page.compression) not in _JPEG
        and page.bitspersample > 1
        and tiff_pages.orientation_of(page) == 1
    )


def _windows(pages: "list[_Page]", rows: int, reserve: Callable[[int], None]) -> Iterator[Window]:
    raw = [page.page for page in pages]
    width, height = raw[0].imagewidth, raw[0].imagelength
    needed = len(pages) * width * raw[0].samplesperpixel * raw[0].dtype.itemsize * (rows + pages[0].height)
    limits.check(limits.IMAGE, needed, f"a row of tiles of {rows} pixels, with the strips or tiles that hold it,")
    reserve(needed)
    for top in range(0, height - rows + 1, rows):
        pixels = np.concatenate([page.rows(top, rows) for page in pages], axis=2)
        found = samples.described(raw, samples.of_array(pixels, is_bands_last=True).pixels)
        yield Window(found, top, f"{width}x{height}")


class _Page:
    """The rows of one page; the strips or tiles that were decoded last are kept."""

    def __init__(self, file: BinaryIO, page: Any) -> None:
        self.file, self.page = file, page
        self.is_contiguous = bool(page.is_contiguous)
        separate = int(page.planarconfig) == _CONTIGUOUS_PLANES and page.samplesperpixel > 1
        self.planes = page.samplesperpixel if separate else 1
        stored = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
        self.height = 1 if self.is_contiguous else int(stored)
        self.across = -(-page.imagewidth // page.tilewidth) if page.is_tiled else 1
        self.down = -(-page.imagelength // self.height)
        self.kept: dict[int, np.ndarray] = {}

    def rows(self, top: int, number: int) -> np.ndarray:
        """Samples [number, W, B]."""
        if self.is_contiguous:
            return self._contiguous(top, number)
        wanted = range(top // self.height, (top + number - 1) // self.height + 1)
        self.kept = {at: self.kept[at] if at in self.kept else self._band(at) for at in wanted}
        start = top - wanted[0] * self.height
        return np.concatenate([self.kept[at] for at in wanted])[start : start + number]

    def _contiguous(self, top: int, number: int) -> np.ndarray:
        page = self.page
        per_row = page.imagewidth * (page.samplesperpixel // self.planes)
        dtype = page.dtype.newbyteorder(page.parent.byteorder)
        found = []
        for plane in range(self.planes):
            first = plane * page.imagelength + top
            self.file.seek(page.dataoffsets[0] + first * per_row * dtype.itemsize)
            content = self.file.read(number * per_row * dtype.itemsize)
            found.append(np.frombuffer(content, dtype).reshape(number, page.imagewidth, -1))
        return np.concatenate(found, axis=2).astype(page.dtype)

    def _band(self, at: int) -> np.ndarray:
        """The strips or tiles of one row of them: [their height or less, W, B]."""
        page = self.page
        height = min(self.height, page.imagelength - at * self.height)
        band = np.full((height, page.imagewidth, page.samplesperpixel), _absent(page), page.dtype)
        for plane in range(self.planes):
            start = (plane * self.down + at) * self.across
            indices = range(start, start + self.across)
            every = (page.dataoffsets, page.databytecounts)
            offsets, sizes = ([values[index] for index in indices] for values in every)
            for content, index in page.parent.filehandle.read_segments(offsets, sizes, indices=list(indices)):
                segment, (_, _, _, column, _), _ = page.decode(content, index)
                if segment is not None:  # GDAL leaves out tiles that hold nothing
                    channels = slice(plane, plane + 1) if self.planes > 1 else slice(None)
                    target = band[:, column : column + segment.shape[2], channels]
                    target[: segment.shape[1]] = segment[0, :height, : target.shape[1]]
        return band


def _absent(page: Any) -> float:
    """The value of samples in tiles that the file leaves out: nodata, if the type can hold it, otherwise 0."""
    nodata = float(page.nodata)
    if page.dtype.kind == "f":
        return nodata
    limits_of_type = np.iinfo(page.dtype)
    return nodata if nodata.is_integer() and limits_of_type.min <= nodata <= limits_of_type.max else 0
