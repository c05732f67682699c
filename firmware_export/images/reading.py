"""From an image's stored samples to an array of the wanted size: choice of bands, crop or squash, nodata, tiles."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from firmware_export.common.errors import UserError
from firmware_export.images.bands import choose_bands
from firmware_export.images.image_set import Bands
from firmware_export.images.samples import LARGEST_SIDE, Samples

Fit = Literal["refuse", "crop", "squash"]
NoData = Literal["refuse", "skip", "fill"]


class EmptySamplesError(ValueError):
    """An image has NaN, infinite or nodata samples and is to be left out."""


_OF_PICTURES = (1, 3)
"""Channels as which an ordinary picture is read: gray and RGB."""


@dataclass(frozen=True)
class Reading:
    """How the images of a set become arrays of one shape.

    Attributes:
        height: of the arrays, in pixels.
        width: of the arrays, in pixels.
        channels: of the arrays.
        bands: the bands of the files that are the channels; None for pictures, of which 3 channels are RGB (gray is
            repeated) and 1 is gray.
        dtype: of the arrays: `uint8`, `uint16` or `float32`.
        fit: what to do with an image of another aspect ratio.
        nodata: what to do with NaN, infinite and nodata samples: `refuse` the set, `skip` the image, or `fill` them
            with the median of the image's other samples in the same band. With `tile`, a tile is an image.
        tile: cut each image into squares of this many pixels; None: an image is one array.
        band_names: of all bands in the set's first file, if it gives them and the user does not.
    """

    height: int
    width: int
    channels: int
    bands: Bands | None = None
    dtype: str = "uint8"
    fit: Fit = "squash"
    nodata: NoData = "refuse"
    tile: int | None = None
    band_names: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one array."""
        return self.height, self.width, self.channels

    def cut(self, samples: Samples, file: str, top: int = 0) -> Iterator[tuple[str, Samples]]:
        """The images in one file, each with what is added to the file's name: nothing, or a tile's place.

        Args:
            samples: as `samples.read` gives them.
            file: the image's name, for messages.
            top: the row of the image where the samples begin.

        Raises:
            UserError: the image is a raster and `tile` is not set, or is smaller than a tile.
        """
        size = _size(samples.pixels)
        if self.tile is None:
            if min(samples.pixels.shape[:2]) > LARGEST_SIDE:
                raise UserError(
                    f"{file} is a raster of {size} pixels, not an image of one scene: cut it into tiles with "
                    f"--data.tile, such as --data.tile {self.height}"
                )
            yield "", samples
            return
        rows, columns = (side // self.tile for side in samples.pixels.shape[:2])
        if not rows * columns:
            raise UserError(
                f"{file} is {size}, smaller than a tile of {self.tile}: give a smaller --data.tile, or leave it out"
            )
        for row in range(0, rows * self.tile, self.tile):
            for column in range(0, columns * self.tile, self.tile):
                pixels = samples.pixels[row : row + self.tile, column : column + self.tile]
                yield f"#{top + row},{column}", replace(samples, pixels=pixels)

    def array(self, samples: Samples, file: str) -> np.ndarray:
        """The array of one image: `dtype` [height, width, channels].

        Args:
            samples: as `cut` gives them.
            file: the image's name, for messages.

        Raises:
            UserError: the image has other bands or another type than the set, is not of the wanted aspect ratio and
                `fit` is `refuse`, or has nodata samples and `nodata` is `refuse`.
            EmptySamplesError: it has nodata samples that cannot be filled, or `nodata` is `skip`.
        """
        self._check(samples, file)
        pixels = _filled(samples, self.nodata, file)
        pixels = _as_picture(pixels, self.channels) if self.bands is None else pixels[..., list(self.bands.positions)]
        return self._resized(pixels.astype(self.dtype, copy=False), file)

    def _check(self, samples: Samples, file: str) -> None:
        if self.bands is None and not samples.is_picture:
            raise UserError(
                f"{file} has {_kind(samples)}, where the set's first image is an ordinary 8-bit picture: convert it, "
                "or keep the two kinds in sets of their own"
            )
        if self.bands is None:
            return
        if samples.bands != self.bands.of:
            plural = "s" if samples.bands > 1 else ""
            raise UserError(
                f"{file} has {samples.bands} band{plural}, {self.bands.of} expected, as in the set's first image: give "
                "files with the same bands"
            )
        if self.band_names and samples.band_names:
            first, found = ([names[i] for i in self.bands.positions] for names in (self.band_names, samples.band_names))
            if found != first:
                raise UserError(
                    f"{file} has bands {', '.join(found)} where the set's first image has {', '.join(first)}: save all "
                    "files with their bands in one order"
                )
        dtype = samples.pixels.dtype.name
        if dtype != self.dtype and self.dtype != "float32":
            raise UserError(
                f"{file} has {dtype} samples, {self.dtype} expected, as in the set's first image: save all images in "
                "one type"
            )

    def _resized(self, pixels: np.ndarray, file: str) -> np.ndarray:
        if pixels.shape[:2] == (self.height, self.width):
            return pixels
        rows, columns = pixels.shape[:2]
        if rows * self.width != columns * self.height and self.fit != "squash":
            if self.fit == "refuse":
                raise UserError(
                    f"{file} is {_size(pixels)}, of another aspect ratio than {self.width}x{self.height}: give "
                    "--data.fit crop (the middle) or --data.fit squash (all of it, distorted)"
                )
            pixels = _cropped(pixels, self.height, self.width)
        return _resized(pixels, self.height, self.width)


def place_of_tile(name: str) -> tuple[str, int, int]:
    """The file that a tile comes from, and row and column of its first pixel there; (name, 0, 0) of a whole image."""
    found = re.search(r"#(\d+),(\d+)$", name)
    return (name, 0, 0) if found is None else (name[: found.start()], int(found[1]), int(found[2]))


def of_first(
    first: Samples,
    size: tuple[int, int],
    *,
    channels: int | None = None,
    bands: Sequence[str] = (),
    names: Sequence[str] = (),
    fit: Fit = "squash",
    nodata: NoData = "refuse",
    tile: int | None = None,
) -> Reading:
    """How to read a set, by its first image.

    Ordinary 8-bit pictures are read as RGB or gray, unless bands or another number of channels are given. Of all other
    images, the given bands are read, or all; a single one that is not asked for is repeated, as gray is.

    Args:
        first: the set's first image.
        size: height and width of the arrays.
        channels: of the arrays; None: as many as there are bands.
        bands: names of bands or their numbers from 1; empty: all.
        names: of all bands in the files, in order; empty: those in the file, or its numbers.
        fit: as `Reading.fit`.
        nodata: as `Reading.nodata`.
        tile: as `Reading.tile`.

    Raises:
        UserError: a band does not exist, `names` are not one for each band, or the bands are not `channels`.
    """
    if first.is_picture and not (bands or names) and channels in (None, *_OF_PICTURES):
        return Reading(*size, channels or 3, fit=fit, nodata=nodata, tile=tile)
    positions, found = choose_bands(first, bands, names)
    wanted = channels or (3 if len(positions) == 1 and not bands else len(positions))
    if len(positions) == 1:
        positions, found = positions * wanted, found * wanted
    if len(positions) != wanted:
        remedy = f"choose {wanted} bands with --data.bands" if len(positions) > wanted else "give images that have more"
        raise UserError(
            f"the images have {len(positions)} bands ({', '.join(found)}), the model takes {wanted} channels: {remedy}"
        )
    dtype = first.pixels.dtype.name
    chosen = Bands(tuple(found), positions, first.bands)
    return Reading(*size, wanted, chosen, dtype, fit, nodata, tile, () if names else first.band_names)


def whole_numbers(pixels: np.ndarray) -> np.ndarray:
    """float32 samples as uint16 if all are whole numbers in 0..65535, not only 0 and 1; otherwise as they are."""
    if pixels.dtype != np.float32 or not len(pixels):
        return pixels
    low, high = pixels.min(), pixels.max()
    if low < 0 or high > 65535 or high <= 1:
        return pixels
    narrow = np.empty(pixels.shape, np.uint16)
    for image, target in zip(pixels, narrow, strict=True):
        target[:] = image
        if not np.array_equal(target, image):
            return pixels
    return narrow


def _kind(samples: Samples) -> str:
    plural = "s" if samples.bands > 1 else ""
    return f"{samples.bands} band{plural} of {samples.pixels.dtype} samples"


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"


def _filled(samples: Samples, nodata: NoData, file: str) -> np.ndarray:
    if samples.nodata is None and samples.pixels.dtype != np.float32:
        return samples.pixels
    empty = samples.is_empty
    number = int(np.count_nonzero(empty))
    if not number:
        return samples.pixels
    stated = "-9999 or the lowest of their type" if samples.nodata is None else f"{samples.nodata:g}"
    meaning = f"NaN, infinite or nodata ({stated})"
    if nodata == "refuse":
        raise UserError(
            f"{file} has {number} samples that are {meaning}: leave such images out with --data.nodata skip, or fill "
            "the samples from their band with --data.nodata fill"
        )
    if nodata == "skip" or empty.all(axis=(0, 1)).any():
        raise EmptySamplesError(f"{number} samples are {meaning}")
    pixels = samples.pixels.copy()
    for band in np.flatnonzero(empty.any(axis=(0, 1))):
        values = pixels[..., band]
        values[empty[..., band]] = np.quantile(values[~empty[..., band]], 0.5, method="lower")
    return pixels


def _as_picture(pixels: np.ndarray, channels: int) -> np.ndarray:
    color = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1]
    if channels == 1 and color.shape[2] == 3:
        return np.asarray(Image.fromarray(np.ascontiguousarray(color)).convert("L"))[..., np.newaxis]
    return np.repeat(color, channels, axis=2) if channels > color.shape[2] else color


def _cropped(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The largest part in the middle with the aspect ratio of `height` and `width`."""
    rows, columns = pixels.shape[:2]
    tall = min(rows, max(1, round(columns * height / width)))
    wide = min(columns, max(1, round(rows * width / height)))
    top, left = (rows - tall) // 2, (columns - wide) // 2
    return pixels[top : top + tall, left : left + wide]


def _resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear with antialiasing; whole numbers are rounded to the nearest."""
    target, bilinear = (width, height), Image.Resampling.BILINEAR
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(target, bilinear))
    dtype = np.uint8 if pixels.dtype == np.uint8 else np.float32
    planes = [Image.fromarray(np.ascontiguousarray(plane, dtype)) for plane in np.moveaxis(pixels, 2, 0)]
    resized = np.stack([np.asarray(plane.resize(target, bilinear)) for plane in planes], axis=-1)
    if pixels.dtype != np.uint16:
        return resized
    rounded: np.ndarray = np.clip(np.rint(resized), 0, 65535).astype(np.uint16)
    return rounded
