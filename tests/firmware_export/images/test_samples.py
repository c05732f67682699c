import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from rasters import geotiff

from firmware_export.common import limits
from firmware_export.images import samples

RANDOM = np.random.default_rng(0)
FOUR = RANDOM.integers(0, 65536, (5, 7, 4), dtype=np.uint16)


def saved(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def array_file(save, *arrays, **named):
    stream = io.BytesIO()
    save(stream, *arrays, **named)
    return stream.getvalue()


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd", "packbits"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_bands_of_a_geotiff(compression, planar):
    content = geotiff(FOUR, ("B04", "B03", "B02", "B08"), planarconfig=planar, compression=compression)
    found = samples.read(content)
    np.testing.assert_array_equal(found.pixels, FOUR)
    assert (found.pixels.dtype, found.is_picture, found.nodata) == (np.uint16, False, None)
    assert found.band_names == ("B04", "B03", "B02", "B08")


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 13])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_any_number_of_bands_of_any_type(bands, dtype):
    pixels = (RANDOM.random((14, 9, bands)) * 200).astype(dtype)
    for content in (geotiff(pixels), array_file(np.save, pixels), array_file(np.savez, pixels)):
        found = samples.read(content)
        np.testing.assert_array_equal(found.pixels, pixels)
        assert found.pixels.dtype == dtype


def test_pages_are_bands_and_overviews_are_not():
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for band in range(3):
            writer.write(FOUR[..., band], photometric="minisblack", metadata=None)
        writer.write(FOUR[::2, ::2, 0], photometric="minisblack", metadata=None, subfiletype=1)
    np.testing.assert_array_equal(samples.read(stream.getvalue()).pixels, FOUR[..., :3])


def test_pages_of_different_sizes_are_refused():
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for size in (4, 5):
            writer.write(np.zeros((size, size), np.uint16), photometric="minisblack", metadata=None)
    with pytest.raises(ValueError, match=r"^its pages differ in size, type or colors: save one image in a file$"):
        samples.read(stream.getvalue())


def test_an_array_whose_bands_may_be_first_or_last_is_refused():
    with pytest.raises(ValueError, match=r"^\[3, 5, 9\] may be bands, height, width or height, width, bands: save "):
        samples.read(array_file(np.save, np.zeros((3, 5, 9), np.uint8)))
    assert samples.read(array_file(np.save, np.zeros((5, 9, 3), np.uint8))).pixels.shape == (5, 9, 3)
    assert samples.read(array_file(np.save, np.zeros((5, 5, 9), np.uint8))).pixels.shape == (5, 5, 9)


def test_pages_of_several_bands_are_images_and_no_bands():
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for _ in range(2):
            writer.write(np.zeros((4, 4, 3), np.uint8), photometric="rgb", metadata=None)
    with pytest.raises(ValueError, match=r"^its 2 pages have several bands each: save one image in a file$"):
        samples.read(stream.getvalue())


def test_a_band_that_is_first_comes_last():
    square = FOUR[:5, :5]
    np.testing.assert_array_equal(samples.read(array_file(np.save, square.transpose(2, 0, 1))).pixels, square)


@pytest.mark.parametrize("channels", [3, 4])
def test_png_of_16_bits_keeps_its_lower_8(channels):
    pixels = FOUR[..., :channels]
    found = samples.read(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
    np.testing.assert_array_equal(found.pixels, pixels)
    assert not found.is_picture


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_gray_of_16_bits_keeps_its_lower_8(kind):
    found = samples.read(saved(Image.fromarray(FOUR[..., 0]), kind))
    np.testing.assert_array_equal(found.pixels[..., 0], FOUR[..., 0])


def test_jpeg_2000_of_12_bits():
    pixels = np.ascontiguousarray(FOUR[..., :3] >> 4)
    found = samples.read(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="jp2", bitspersample=12))
    np.testing.assert_array_equal(found.pixels, pixels)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float64])
def test_types_that_need_not_fit_are_float(dtype):
    pixels = np.array([[-3, 7], [200, 30_000]], dtype)
    found = samples.read(array_file(np.save, pixels))
    assert found.pixels.dtype == np.float32
    np.testing.assert_array_equal(found.pixels[..., 0], pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_orientation_is_applied(orientation, dtype):
    upright = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    exif = Image.Exif()
    exif[274] = orientation
    turned = saved(Image.fromarray(upright), exif=exif)
    expected = samples.read(turned).pixels
    assert expected.shape == ((3, 2, 3) if orientation > 4 else (2, 3, 3))
    assert (orientation == 1) == np.array_equal(expected, upright)
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        upright.astype(dtype),
        photometric="rgb",
        planarconfig="contig",
        metadata=None,
        extratags=[(274, "H", 1, orientation, True)],
    )
    np.testing.assert_array_equal(samples.read(stream.getvalue()).pixels, expected)


@pytest.mark.parametrize(
    ("image", "bands"),
    [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4), ("P", 3), ("1", 1), ("CMYK", 3)],
)
def test_ordinary_pictures_are_known_as_such(image, bands):
    picture = Image.fromarray(FOUR[..., :3].astype(np.uint8)).convert(image)
    found = samples.read(saved(picture, "TIFF"))
    assert (found.is_picture, found.bands, found.pixels.dtype) == (True, bands, np.uint8)


def test_a_fourth_band_that_is_no_alpha_channel_makes_no_picture():
    assert not samples.read(geotiff(FOUR.astype(np.uint8), photometric="rgb", extrasamples=["unspecified"])).is_picture
    assert samples.read(geotiff(FOUR.astype(np.uint8), photometric="rgb", extrasamples=["unassalpha"])).is_picture


def test_nodata_and_nan_are_seen():
    pixels = FOUR.astype(np.float32)
    pixels[0, 0, 1], pixels[1, 1, 2], pixels[2, 2, 3] = np.nan, -9999, np.inf
    found = samples.read(geotiff(pixels, nodata=-9999))
    assert found.nodata == -9999
    assert np.argwhere(found.is_empty).tolist() == [[0, 0, 1], [1, 1, 2], [2, 2, 3]]
    whole = samples.read(geotiff(FOUR, nodata=int(FOUR[3, 3, 0])))
    assert whole.is_empty[3, 3, 0]


@pytest.mark.parametrize(
    "content",
    [
        array_file(np.save, np.array(["a", "b"])),
        array_file(np.save, np.zeros((2, 2, 2, 2))),
        array_file(np.save, np.zeros((0, 4, 3))),
        array_file(np.save, np.zeros((2, 2), complex)),
        array_file(np.savez, np.zeros((2, 2)), np.ones((2, 2))),
        array_file(np.save, np.array([object()], object), allow_pickle=True),
        b"PK\3\4 not a zip",
        b"II*\0 not a TIFF",
        b"\x93NUMPY",
    ],
)
def test_what_is_no_image_is_refused(content):
    with pytest.raises(Exception):  # noqa: B017, PT011  # any of the libraries' exceptions
        samples.read(content)


def test_the_limit_holds_for_rasters_and_arrays(monkeypatch):
    monkeypatch.setenv(limits.IMAGE, "1")
    big = np.zeros((512, 512, 4), np.uint16)
    for content in (
        geotiff(big),
        geotiff(big, compression="zlib"),
        array_file(np.save, big),
        array_file(np.savez, big),
    ):
        with pytest.raises(ValueError, match=r"takes [23] MiB, more than 1: set SATKD_MAX_IMAGE_MIB"):
            samples.read(content)


def test_a_raster_over_the_limit_is_told_of_tiles():
    content = geotiff(np.zeros((1, 1, 4), np.uint16))
    stream = io.BytesIO(content)
    with tifffile.TiffFile(stream, mode="r+b") as file:
        for tag in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[tag].overwrite(10_980)
    with pytest.raises(ValueError, match=r"cut a raster into tiles with --data.tile 64.* 10980x10980 .* takes 920 MiB"):
        samples.read(stream.getvalue())
