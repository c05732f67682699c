import io
import itertools

import numpy as np
import pytest
import tifffile
from rasters import geotiff

from firmware_export.common import limits
from firmware_export.images import samples
from firmware_export.images.decode import EncodedImage, FileReader, decode_all, first_samples
from firmware_export.images.reading import of_first
from firmware_export.images.windows import windows

RANDOM = np.random.default_rng(0)
LARGE = RANDOM.integers(0, 4096, (300, 400, 4), np.uint16)
"""940 KiB: large where an image may take 1 MiB."""


@pytest.fixture(autouse=True)
def small_limit(monkeypatch):
    monkeypatch.setenv(limits.IMAGE, "1")


def rows(pixels):
    """The content of a TIFF with a page for each row."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels)
    return stream.getvalue()


def read(content, rows=64):
    return windows(io.BytesIO(content), rows, lambda needed: None)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"rowsperstrip": 7},
        {"compression": "zlib", "rowsperstrip": 50},
        {"tile": (32, 48)},
        {"tile": (128, 128), "compression": "zlib", "predictor": True},
        {"tile": (96, 64), "compression": "lzw"},
    ],
    ids=str,
)
def test_windows_are_the_rows_of_the_whole_image(options, planar):
    content = geotiff(LARGE, ("B02", "B03", "B04", "B08"), nodata=7, planarconfig=planar, **options)
    found = list(read(content))
    assert [window.top for window in found] == [0, 64, 128, 192]
    assert {window.size for window in found} == {"400x300"}
    np.testing.assert_array_equal(np.concatenate([window.samples.pixels for window in found]), LARGE[:256])
    assert found[0].samples.band_names == ("B02", "B03", "B04", "B08")
    assert found[0].samples.nodata == 7
    assert not found[0].samples.is_picture


def test_pages_are_bands():
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.moveaxis(LARGE, 2, 0), photometric="minisblack", compression="zlib", rowsperstrip=50)
    window = next(iter(read(stream.getvalue())))
    np.testing.assert_array_equal(window.samples.pixels, LARGE[:64])


def test_a_picture_stays_one():
    pixels = RANDOM.integers(0, 256, (400, 400, 3), np.uint8)
    window = next(iter(read(geotiff(pixels, photometric="rgb", tile=(64, 64)))))
    assert window.samples.is_picture
    np.testing.assert_array_equal(window.samples.pixels, pixels[:64])


@pytest.mark.parametrize(
    "content",
    [
        geotiff(LARGE[:60, :60]),
        geotiff(LARGE[:50, :400], tile=(32, 32)),
        b"no TIFF",
        geotiff(LARGE[..., :3].astype(np.uint8), photometric="rgb", tile=(64, 64), compression="jpeg"),
        geotiff(LARGE[..., :1], photometric="miniswhite", tile=(64, 64)),
        rows(np.repeat(LARGE[:, :300], 2, axis=2)),
    ],
    ids=["small", "low", "other", "JPEG", "white is zero", "rows"],
)
def test_other_images_are_read_as_a_whole(content):
    assert read(content) is None


def test_a_tile_that_the_file_leaves_out_holds_nothing():
    def tiles():
        yield from itertools.chain([np.full((128, 128), 5, np.uint16)], itertools.repeat(None, 11))

    stream = io.BytesIO()
    nodata = [(42113, "s", 0, "9", True)]
    tifffile.imwrite(
        stream, tiles(), shape=(384, 512), dtype="uint16", tile=(128, 128), extratags=nodata, metadata=None
    )
    window = next(iter(read(stream.getvalue())))
    assert window.samples.pixels[0, [0, 127, 128, 511], 0].tolist() == [5, 5, 9, 9]


def test_a_strip_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match=r"a row of tiles of 64 pixels, with the strips .* more than 1: set SATKD_MAX"):
        next(iter(read(geotiff(LARGE, compression="zlib", rowsperstrip=300))))


@pytest.mark.parametrize("in_file", [True, False], ids=["file", "zip"])
def test_a_raster_over_the_limit_becomes_tiles(tmp_path, in_file):
    big = np.concatenate([LARGE] * 2) if in_file else LARGE[:240]
    content = geotiff(big, tile=(64, 64), nodata=0, compression=None if in_file else "zlib")
    path = tmp_path / "big.tif"
    path.write_bytes(content)
    image = EncodedImage("big.tif", 0, FileReader(len(content), lambda: content, path if in_file else None))
    assert len(content) > 1 << 20 or not in_file
    first = first_samples([image], 64)
    assert first.bands == 4
    found = decode_all([image], 1, ("a",), of_first(first, (64, 64), tile=64, nodata="fill"))
    assert found.unreadable == ()
    assert found.sizes == {f"400x{len(big)}": 1}
    names = [f"big.tif#{row},{column}" for row in range(0, len(big) - 63, 64) for column in range(0, 384 - 63, 64)]
    assert list(found.image_set.files) == names
    whole = samples.Samples(big, nodata=0)
    how = of_first(first, (64, 64), tile=64, nodata="fill")
    expected = [how.array(piece, "") for _, piece in how.cut(whole, "")]
    np.testing.assert_array_equal(found.image_set.images, expected)


def test_tiles_of_nothing_are_left_out(tmp_path):
    pixels = LARGE[:128, :128].copy()
    pixels[:64, :64] = 0
    content = geotiff(pixels, nodata=0)
    image = EncodedImage("edge.tif", 0, lambda: content)
    how = of_first(samples.read(content), (64, 64), tile=64, nodata="fill")
    found = decode_all([image], 1, ("a",), how)
    assert found.image_set.files == ("edge.tif#0,64", "edge.tif#64,0", "edge.tif#64,64")
    assert found.unreadable[0].startswith("edge.tif#0,0: 16384 samples are NaN, infinite or nodata (0)")
