import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.images.generated import generated_images


@settings(max_examples=50, deadline=None)
@given(shape=st.one_of(st.tuples(*[st.integers(1, 20)] * 3), st.tuples(st.integers(1, 40))), count=st.integers(2, 5))
def test_generated_images_have_the_models_shape(shape, count):
    made = generated_images(shape, count)
    assert (made.shape, made.dtype) == ((count, *shape), np.uint8)
    assert made[0].max() == 0
    assert made[1].min() == 255


def test_generated_images_repeat_and_differ():
    first = generated_images((16, 16, 3), 12)
    assert np.array_equal(first, generated_images((16, 16, 3), 12))
    assert not np.array_equal(first, generated_images((16, 16, 3), 12, seed=1))
    assert len({image.tobytes() for image in first}) == 12


def test_generated_images_are_smooth_and_varied():
    made = generated_images((32, 32, 3), 64)[2:].astype(int)
    neighbours = np.abs(np.diff(made, axis=2)).mean()
    strangers = np.abs(made[:-1] - made[1:]).mean()
    assert neighbours < strangers / 2
