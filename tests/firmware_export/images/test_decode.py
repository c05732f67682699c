import io
import os
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from firmware_export.common import limits
from firmware_export.images import samples
from firmware_export.images.decode import (
    EncodedImage,
    FileReader,
    count_unreadable,
    decode_all,
    image_extensions,
)
from firmware_export.images.reading import Reading


def encode(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def decode(content, shape):
    """One image as an array, and its size before resizing."""
    found = samples.read(content)
    return Reading(*shape).array(found, "image"), f"{found.pixels.shape[1]}x{found.pixels.shape[0]}"


PLAIN = Image.fromarray(np.full((6, 6, 3), (200, 100, 50), np.uint8))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (PLAIN, (200, 100, 50)),
        (PLAIN.convert("RGBA"), (200, 100, 50)),
        (PLAIN.quantize(4), (200, 100, 50)),
        (Image.new("L", (6, 6), 77), (77, 77, 77)),
        (Image.new("LA", (6, 6), (77, 0)), (77, 77, 77)),
    ],
    ids=["rgb", "rgba", "palette", "gray", "gray with alpha"],
)
def test_every_kind_of_pixel_becomes_rgb(image, expected):
    pixels, size = decode(encode(image), (6, 6, 3))
    assert (pixels.dtype, pixels.shape, size) == (np.uint8, (6, 6, 3), "6x6")
    np.testing.assert_array_equal(pixels[3, 3], expected)


def test_transparent_palette_warns_of_nothing():
    image = PLAIN.quantize(4)
    assert decode(encode(image, transparency=b"\x80\x00"), (6, 6, 3))[0].shape == (6, 6, 3)


def test_shrinking_averages_instead_of_skipping_pixels():
    checks = Image.fromarray((np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8))
    pixels, size = decode(encode(checks), (8, 8, 3))
    assert size == "64x64"
    assert np.abs(pixels.astype(int) - 127).max() < 8


def test_unreadable_images_are_left_out_and_named():
    def missing() -> bytes:
        raise PermissionError("Permission denied")

    good = encode(PLAIN)
    images = [
        EncodedImage("a.png", 1, lambda: good),
        EncodedImage("b.png", 0, lambda: good[: len(good) // 2]),
        EncodedImage("c.png", 0, lambda: b"no image"),
        EncodedImage("d.png", 0, missing),
        EncodedImage("e.png", 0, lambda: good),
    ]
    decoded = decode_all(images, 5, ("Forest", "River"), Reading(4, 4, 3))
    assert decoded.image_set.files == ("a.png", "e.png")
    assert decoded.image_set.images.shape == (2, 4, 4, 3)
    np.testing.assert_array_equal(decoded.image_set.labels, [1, 0])
    assert [line.split(":")[0] for line in decoded.unreadable] == ["b.png", "c.png", "d.png"]
    assert decoded.unreadable[1] == "c.png: not an image of a known format"
    assert decoded.unreadable[2] == "d.png: Permission denied"
    assert decoded.sizes == {"6x6": 2}


def test_count_of_unreadable_images():
    assert count_unreadable(["a.png: cut short"]) == "1 unreadable image, the first is a.png: cut short"
    assert count_unreadable(["a.png: x", "b.png: y"]) == "2 unreadable images, the first is a.png: x"


@pytest.mark.parametrize("shape", [(3, 5, 3), (3, 5, 1), (6, 6, 1)])
def test_height_width_and_channels_are_those_asked_for(shape):
    pixels, size = decode(encode(PLAIN), shape)
    assert (pixels.dtype, pixels.shape, size) == (np.uint8, shape, "6x6")


def test_gray_stays_as_it_is_with_one_channel():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(levels)), (16, 16, 1))[0][..., 0], levels)


def test_endings_are_those_of_images():
    assert {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".npy", ".npz"} <= image_extensions()
    assert not {".txt", ".pdf", ".h5", ".md", ".zip", ""} & image_extensions()


def _png(width: int, height: int) -> bytes:
    """The header of a PNG of any size, without pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


@pytest.mark.parametrize("size", [(13_300, 13_300), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_an_image_of_too_many_pixels_is_not_decoded(size):
    with pytest.raises(ValueError, match=rf"an image of {size[0]}x{size[1]} pixels takes .* SATKD_MAX_IMAGE_MIB"):
        decode(_png(*size), (8, 8, 3))


def test_the_limit_can_be_lowered_and_raised(monkeypatch):
    content = encode(Image.new("RGB", (600, 600)))
    monkeypatch.setenv(limits.IMAGE, "1")
    with pytest.raises(ValueError, match="takes 2 MiB, more than 1: set SATKD_MAX_IMAGE_MIB"):
        decode(content, (8, 8, 3))
    monkeypatch.setenv(limits.IMAGE, "2")
    assert decode(content, (8, 8, 3))[1] == "600x600"


def test_a_file_that_is_too_large_is_not_read(monkeypatch):
    def read() -> bytes:
        raise AssertionError("it was read")

    monkeypatch.setenv(limits.IMAGE, "1")
    images = [
        EncodedImage("large.png", 0, FileReader((1 << 20) + 1, read)),
        EncodedImage("small.png", 0, FileReader(9, lambda: encode(PLAIN))),
    ]
    decoded = decode_all(images, 2, ("Forest",), Reading(4, 4, 3))
    assert decoded.image_set.files == ("small.png",)
    assert decoded.unreadable[0].startswith("large.png: the file takes 2 MiB, more than 1: set SATKD_MAX_IMAGE_MIB")


@pytest.mark.parametrize(("mebibytes", "most"), [("2", 1), ("12", 6)])
def test_threads_together_decode_no_more_than_twice_the_limit(monkeypatch, mebibytes, most):
    # One image counts 2 MiB, and as much for its copy in color.
    content, now, seen, lock = encode(Image.new("RGB", (724, 724))), 0, [], threading.Lock()
    honest = Reading.array

    def array(*given):
        nonlocal now
        with lock:
            now += 1
            seen.append(now)
        time.sleep(0.05)
        try:
            return honest(*given)
        finally:
            with lock:
                now -= 1

    monkeypatch.setattr(Reading, "array", array)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)  # the threads of the pool are four more
    monkeypatch.setenv(limits.IMAGE, mebibytes)
    images = [EncodedImage(f"{at}.png", 0, FileReader(len(content), lambda: content)) for at in range(12)]
    found = decode_all(images, 12, ("a",), Reading(8, 8, 3))
    assert len(found.image_set) == 12
    assert max(seen) <= most
    assert most == 1 or max(seen) > 1
