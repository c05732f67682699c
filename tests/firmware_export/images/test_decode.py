import io

import numpy as np
import pytest
from PIL import Image

from firmware_export.images.decode import EncodedImage, decode, decode_all, image_extensions


def encode(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


PLAIN = Image.fromarray(np.full((6, 6, 3), (200, 100, 50), np.uint8))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (PLAIN, (200, 100, 50)),
        (PLAIN.convert("RGBA"), (200, 100, 50)),
        (PLAIN.quantize(4), (200, 100, 50)),
        (Image.new("L", (6, 6), 77), (77, 77, 77)),
        (Image.new("LA", (6, 6), (77, 0)), (77, 77, 77)),
        (Image.fromarray(np.full((6, 6), 0x8000, np.uint16)), (128, 128, 128)),
    ],
    ids=["rgb", "rgba", "palette", "gray", "gray with alpha", "16 bits"],
)
def test_every_kind_of_pixel_becomes_rgb(image, expected):
    pixels, size = decode(encode(image), 6)
    assert (pixels.dtype, pixels.shape, size) == (np.uint8, (6, 6, 3), "6x6")
    np.testing.assert_array_equal(pixels[3, 3], expected)


def test_transparent_palette_warns_of_nothing():
    image = PLAIN.quantize(4)
    assert decode(encode(image, transparency=b"\x80\x00"), 6)[0].shape == (6, 6, 3)


def test_shrinking_averages_instead_of_skipping_pixels():
    checks = Image.fromarray((np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8))
    pixels, size = decode(encode(checks), 8)
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
    decoded = decode_all(images, 5, ("Forest", "River"), 4)
    assert decoded.image_set.files == ("a.png", "e.png")
    assert decoded.image_set.images.shape == (2, 4, 4, 3)
    np.testing.assert_array_equal(decoded.image_set.labels, [1, 0])
    assert [line.split(":")[0] for line in decoded.unreadable] == ["b.png", "c.png", "d.png"]
    assert decoded.unreadable[2] == "d.png: Permission denied"
    assert decoded.sizes == {"6x6": 2}


def test_endings_are_those_of_images():
    assert {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"} <= image_extensions()
    assert not {".txt", ".pdf", ".h5", ".md", ".zip", ""} & image_extensions()
