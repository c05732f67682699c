import io

import numpy as np
import pytest
import tifffile
from PIL import Image
from rasters import geotiff

from firmware_export.images import samples

RANDOM = np.random.default_rng(0)
GRAY = RANDOM.integers(0, 200, (12, 9, 1), np.uint8)
WHITE_IS_ZERO = {"photometric": "miniswhite"}
COLORS = RANDOM.integers(0, 256, (256, 3), np.uint8)


def palette(pixels, **options):
    colors = np.resize(COLORS.T.astype(np.uint16) * 257, (3, 256**pixels.dtype.itemsize))
    return geotiff(pixels, photometric="palette", colormap=colors, **options)


def pillow_tiff(image, **options):
    stream = io.BytesIO()
    image.save(stream, "TIFF", **options)
    return stream.getvalue()


@pytest.mark.parametrize("nodata", [None, 250])
def test_white_may_be_zero(nodata):
    found = samples.read(geotiff(GRAY, nodata=nodata, **WHITE_IS_ZERO))
    np.testing.assert_array_equal(found.pixels, 255 - GRAY)
    assert found.is_picture


def test_nodata_is_inverted_with_the_samples():
    pixels = GRAY.copy()
    pixels[3, 4] = 250
    found = samples.read(geotiff(pixels, nodata=250, **WHITE_IS_ZERO))
    assert (found.nodata, np.argwhere(found.is_empty).tolist()) == (5, [[3, 4, 0]])


@pytest.mark.parametrize("bits", [12, 16])
def test_white_is_zero_in_deep_images(bits):
    pixels = GRAY.astype(np.uint16) * 16
    for nodata in (None, 4095):
        content = geotiff(pixels, nodata=nodata, bitspersample=bits, **WHITE_IS_ZERO)
        np.testing.assert_array_equal(samples.read(content).pixels, 2**bits - 1 - pixels)


def test_white_is_zero_in_every_page():
    stream = io.BytesIO()
    pages = RANDOM.integers(0, 65536, (3, 8, 9), np.uint16)
    with tifffile.TiffWriter(stream) as writer:
        for page in pages:
            writer.write(page, metadata=None, **WHITE_IS_ZERO)
    np.testing.assert_array_equal(samples.read(stream.getvalue()).pixels, 65535 - np.moveaxis(pages, 0, -1))


def test_a_palette_gives_its_colors():
    found = samples.read(palette(GRAY))
    np.testing.assert_array_equal(found.pixels, COLORS[GRAY[..., 0]])


@pytest.mark.parametrize("levels", [4, 16])
def test_palettes_of_few_colors_give_them(levels):
    image = Image.new("P", (9, 12))
    image.putpalette(COLORS[:levels].ravel().tolist())
    image.putdata((GRAY % levels).ravel().tolist())
    content = pillow_tiff(image, bits=levels.bit_length() - 1)
    np.testing.assert_array_equal(samples.read(content).pixels, COLORS[GRAY[..., 0] % levels])


def test_a_palette_with_transparency_gives_its_colors():
    image = Image.new("PA", (2, 1))
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putdata([(1, 255), (0, 7)])
    assert samples.read(pillow_tiff(image)).pixels.tolist() == [[[10, 20, 30, 255], [0, 0, 0, 7]]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (palette(GRAY, nodata=255), "numbers of colors in a palette.*gdal_translate -expand rgb -a_nodata none"),
        (palette(GRAY.astype(np.uint16)), "numbers of colors in a palette"),
        (geotiff(GRAY.astype(np.float32), **WHITE_IS_ZERO), "white is zero in it, in 1 bands of float32: save black"),
        (geotiff(np.repeat(GRAY, 5, 2), **WHITE_IS_ZERO), "white is zero in it, in 5 bands of uint8"),
        (geotiff(np.repeat(GRAY, 4, 2).astype(np.uint16), photometric="separated"), "its samples are CMYK"),
        (geotiff(np.repeat(GRAY, 3, 2), photometric="cielab", nodata=0), "its samples are CIELAB"),
        (geotiff(np.repeat(GRAY, 3, 2), photometric="ycbcr", nodata=0), "its samples are YCbCr"),
    ],
    ids=["palette, nodata", "palette, 16 bits", "float", "bands", "CMYK", "CIELAB", "YCbCr"],
)
def test_samples_that_are_other_colors_are_refused(content, message):
    with pytest.raises(ValueError, match=message):
        samples.read(content)


def test_jpeg_with_nodata_is_rgb():
    pixels = np.full((16, 16, 3), (120, 100, 150), np.uint8)
    with_nodata, without = (
        samples.read(geotiff(pixels, nodata=nodata, photometric="ycbcr", compression="jpeg")).pixels.astype(int)
        for nodata in (0, None)
    )
    np.testing.assert_allclose(with_nodata[0, 0], (151, 114, 70), atol=3)  # of Y, Cb and Cr as in JFIF
    np.testing.assert_allclose(with_nodata, without, atol=3)


@pytest.mark.parametrize("metadata", [{}, None])
@pytest.mark.parametrize("bands", [1, 2, 5, 13])
def test_rows_of_pages_are_one_image(bands, metadata):
    pixels = RANDOM.integers(0, 65536, (16, 16, bands), np.uint16)
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, metadata=metadata)
    np.testing.assert_array_equal(samples.read(stream.getvalue()).pixels, pixels)


def test_bands_of_pages_stay_bands():
    for shape in ((5, 16, 12), (5, 12, 16), (30, 16, 16)):
        pixels = RANDOM.integers(0, 65536, shape, np.uint16)
        stream = io.BytesIO()
        tifffile.imwrite(stream, pixels, photometric="minisblack")
        np.testing.assert_array_equal(samples.read(stream.getvalue()).pixels, np.moveaxis(pixels, 0, -1))


def test_pages_that_may_be_rows_or_bands_are_refused():
    pixels = RANDOM.integers(0, 65536, (20, 16, 5), np.uint16)
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels)
    with pytest.raises(
        ValueError, match=r"its 20 pages of 5x16 pixels may be bands, or rows of .*planarconfig='contig'"
    ):
        samples.read(stream.getvalue())
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, photometric="minisblack", planarconfig="contig")  # the advice
    np.testing.assert_array_equal(samples.read(stream.getvalue()).pixels, pixels)
