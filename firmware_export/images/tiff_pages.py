"""The pages of a TIFF that are one image: their samples as colors state them, and what their tags say."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

ORIENTATION, _NODATA, _DESCRIPTIONS = 274, 42113, 42112
"""Tags of a TIFF: baseline, and GDAL's two."""

_DESCRIPTION = re.compile(r'<Item(?=[^>]*\brole="description")[^>]*\bsample="(\d+)"[^>]*>([^<]*)</Item>')

_WHITE_IS_ZERO, _PALETTE, _YCBCR = 0, 3, 6
_OTHER_COLORS = {5: "CMYK", 8: "CIELAB", 9: "ICCLAB", 10: "ITULAB", 32844: "LogL", 32845: "LogLuv"}
"""Values of the tag `PhotometricInterpretation`."""

_FOR_PILLOW = {_WHITE_IS_ZERO: (1,), 1: (1,), 2: (3,), _PALETTE: (1, 2), 5: (4,), _YCBCR: (3,), 8: (3,)}
"""Samples a pixel, by color space, of the 8-bit images that Pillow converts to gray, RGB or RGBA."""

_JPEG = (6, 7, 33007, 34892)
"""Compressions whose decoder makes RGB of YCbCr."""


def pages_of(file: Any) -> list[Any]:
    """The pages of a `tifffile.TiffFile` that are the image, without overviews and masks."""
    return [page for page in file.pages if not (page.is_reduced or page.is_mask)]


def is_for_pillow(page: Any) -> bool:
    """Whether a page is 8-bit gray, RGB or of another color space that Pillow converts to RGB."""
    is_plain = page.bitspersample in (1, 2, 4, 8) and page.dtype in (np.uint8, np.bool_) and nodata_of(page) is None
    return is_plain and page.samplesperpixel in _FOR_PILLOW.get(int(page.photometric), ())


def check(pages: Sequence[Any]) -> None:
    """Check that the samples of the pages are bands, or shades of gray.

    Raises:
        ValueError: the pages differ, have several bands each, or have samples that are colors in another sense.
    """
    first, color = pages[0], int(pages[0].photometric)
    if any((page.shape, page.dtype, int(page.photometric)) != (first.shape, first.dtype, color) for page in pages):
        raise ValueError("its pages differ in size, type or colors: save one image in a file")
    if len(pages) > 1 and first.samplesperpixel > 1:
        raise ValueError(f"its {len(pages)} pages have several bands each: save one image in a file")
    if color == _PALETTE:
        raise ValueError(
            "its samples are numbers of colors in a palette, with a nodata value or of more than 8 bits: convert it "
            "with gdal_translate -expand rgb -a_nodata none"
        )
    if color == _WHITE_IS_ZERO and (first.samplesperpixel > 1 or first.dtype.kind != "u"):
        raise ValueError(f"white is zero in it, in {first.samplesperpixel} bands of {first.dtype}: save black as zero")
    if color in _OTHER_COLORS or (color == _YCBCR and int(first.compression) not in _JPEG):
        raise ValueError(f"its samples are {_OTHER_COLORS.get(color, 'YCbCr')}, with nodata or not of 8 bits: save RGB")


def pixels_of(pages: Sequence[Any]) -> np.ndarray:
    """The samples of pages that pass `check`, [H, W, B]; black is zero.

    Raises:
        ValueError: the pages may be bands or rows of the image.
    """
    pixels = np.concatenate([_bands_last(page) for page in pages], axis=2)
    pixels = np.moveaxis(pixels, 2, 0) if are_rows(pages) else pixels
    return _largest(pages[0]) - pixels if int(pages[0].photometric) == _WHITE_IS_ZERO else pixels


def are_rows(pages: Sequence[Any]) -> bool:
    """Whether each page is a row [W, B] of the image, as tifffile writes an array [H, W, B] without options.

    Raises:
        ValueError: they may be rows or bands.
    """
    number, height, width = len(pages), pages[0].imagelength, pages[0].imagewidth
    if width >= min(number, height):
        return False
    if number != height:
        raise ValueError(
            f"its {number} pages of {width}x{height} pixels may be bands, or rows of an array [height, width, bands]: "
            "save a GeoTIFF, or with photometric='minisblack', planarconfig='contig' in tifffile.imwrite"
        )
    return True


def orientation_of(page: Any) -> int:
    """The value of a page's tag `Orientation` (TIFF 6.0); 1: upright."""
    return int(_tag(page, ORIENTATION, 1))


def nodata_of(page: Any) -> float | None:
    """The value of samples that hold nothing, as in `pixels_of`; None if the file states none."""
    try:
        value = float(str(_tag(page, _NODATA, "")).strip("\0 "))
    except ValueError:
        return None
    return _largest(page) - value if int(page.photometric) == _WHITE_IS_ZERO else value


def band_names(page: Any, bands: int) -> tuple[str, ...]:
    """B names, if the file gives them; otherwise empty."""
    described = {int(at): name.strip() for at, name in _DESCRIPTION.findall(str(_tag(page, _DESCRIPTIONS, "")))}
    names = tuple(described.get(at, "") for at in range(bands))
    return names if all(names) and len(set(names)) == bands else ()


def has_alpha(page: Any) -> bool:
    """Whether the last band is declared as transparency."""
    return page.samplesperpixel in (2, 4) and any(int(extra) in (1, 2) for extra in page.extrasamples)


def _largest(page: Any) -> int:
    """The largest sample of as many bits as the page states."""
    return (1 << int(page.bitspersample)) - 1


def _bands_last(page: Any) -> np.ndarray:
    pixels: np.ndarray = page.asarray()
    if page.samplesperpixel == 1:
        return pixels.reshape(page.imagelength, page.imagewidth, 1)
    return np.moveaxis(pixels, 0, -1) if int(page.planarconfig) == 2 else pixels


def _tag(page: Any, code: int, default: Any) -> Any:
    return page.tags[code].value if code in page.tags else default
