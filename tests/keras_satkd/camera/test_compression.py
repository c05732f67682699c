import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from keras_satkd.camera import compression


def scenes(count: int = 2, bands: int = 3) -> np.ndarray:
    noise = np.random.default_rng(0).normal(128, 300, (count, 64, 64, bands))
    return np.clip(gaussian_filter(noise, (0, 2, 2, 0)), 0, 255).astype(np.uint8)


def test_jpeg_is_what_the_file_holds():
    stream = io.BytesIO()
    Image.fromarray(scenes()[1]).save(stream, "JPEG", quality=60)
    found = compression.jpeg(scenes(), np.array([90, 60]))
    np.testing.assert_array_equal(found[1], np.asarray(Image.open(stream)))


@pytest.mark.parametrize("bits", [0.5, 1, 2])
def test_jpeg_2000_has_the_rate_that_is_asked_for(bits):
    stream = io.BytesIO()
    image = Image.fromarray(scenes(1)[0])
    image.save(stream, "JPEG2000", irreversible=True, no_jp2=True, quality_mode="rates", quality_layers=[8 / bits])
    assert len(stream.getvalue()) * 8 / (64 * 64 * 3) <= 1.05 * bits
    np.testing.assert_array_equal(compression.jpeg2000(scenes(1), bits)[0], np.asarray(Image.open(stream)))


@pytest.mark.parametrize(("compress", "better", "worse"), [(compression.jpeg, 95, 40), (compression.jpeg2000, 3, 0.5)])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_stronger_compression_loses_more(compress, better, worse, bands):
    images = scenes(bands=bands)
    errors = [np.abs(compress(images, severity).astype(float) - images).mean() for severity in (better, worse)]
    assert 0 < errors[0] < errors[1]


@pytest.mark.parametrize("compress", [compression.jpeg, compression.jpeg2000])
def test_bands_that_are_no_rgb_are_compressed_each_as_gray(compress):
    images = scenes(2, bands=5)
    found = compress(images, 3)
    for band in range(5):
        np.testing.assert_array_equal(found[..., band : band + 1], compress(images[..., band : band + 1], 3))
