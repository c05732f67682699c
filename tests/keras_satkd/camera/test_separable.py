import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter1d

from keras_satkd.camera import separable


def test_reflection_repeats_the_end_values():
    assert separable.reflected(np.arange(-4, 8), 3).tolist() == [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]


@pytest.mark.parametrize("size", [1, 5, 64])
@pytest.mark.parametrize("sigma", [0.0, 0.4, 1.4, 6.0])
def test_gaussian_is_scipys(size, sigma):
    values = np.random.default_rng(0).random(size)
    found = separable.gaussian(np.array([sigma]), size)[0] @ values
    expected = gaussian_filter1d(values, sigma, mode="reflect") if sigma else values
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_filter_does_not_depend_on_the_others():
    np.testing.assert_array_equal(
        separable.gaussian(np.array([0.4, 3.0]), 16)[0], separable.gaussian(np.array([0.4]), 16)[0]
    )


def test_cubic_half_way_between_pixels():
    # Keys' kernel at distances 1.5, 0.5, 0.5, 1.5: −1/16, 9/16, 9/16, −1/16
    found = separable.cubic(np.array([[3.5]]), 8)[0, 0] * 16
    np.testing.assert_allclose(found, [0, 0, -1, 9, 9, -1, 0, 0], atol=1e-6)


@pytest.mark.parametrize("outputs", [51, 64, 80])
def test_cubic_is_pillows_away_from_the_borders(outputs):
    values = np.random.default_rng(0).random(64).astype(np.float32)
    centres = (np.arange(outputs) + 0.5) * 64 / outputs - 0.5
    found = separable.cubic(centres[None], 64, max(1.0, 64 / outputs))[0] @ values
    pillow = np.asarray(Image.fromarray(values[None]).resize((outputs, 1), Image.Resampling.BICUBIC))[0]
    np.testing.assert_allclose(found[4:-4], pillow[4:-4], atol=1e-5)


def test_rows_and_columns_have_their_own_filters():
    images = np.random.default_rng(0).random((2, 3, 4, 5)).astype(np.float32)
    down, across = np.random.default_rng(1).random((2, 5, 2, 3)), np.random.default_rng(2).random((2, 1, 6, 4))
    expected = np.einsum("ncph,nxqw,nhwc->npqc", down, across, images)
    found = separable.apply(images, down.astype(np.float32), across.astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
