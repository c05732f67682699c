import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_satkd.camera.training import view_seeds
from keras_satkd.data import augment, mix
from keras_satkd.data.view_numbers import Drawn, OfView, values_at


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32), st.data())
def test_any_number_is_that_of_the_generator(images, views, seed, data):
    for module in (augment, mix):
        numbers = module.view_draws(images, views, seed)
        drawn = Drawn(images, views, module.DRAWS, module.view_seed(seed))
        assert (drawn.shape, drawn.dtype) == (numbers.shape, numbers.dtype)
        count = data.draw(st.integers(0, 10))
        chosen = [
            np.array(data.draw(st.lists(st.integers(0, most - 1), min_size=count, max_size=count)), int)
            for most in (images, views)
        ]
        np.testing.assert_array_equal(values_at(drawn, *chosen), values_at(numbers, *chosen))


def test_odd_and_even_widths():
    for width in (1, 2, 3, 4):
        drawn = Drawn(9, 1, width, lambda view: [7, view])
        expected = np.random.default_rng([7, 0]).random((9, width), np.float32)
        np.testing.assert_array_equal(drawn.at(np.arange(9), np.zeros(9, int)), expected)


def test_values_that_are_computed():
    values = OfView((3, 2), np.int64, lambda images, views: 10 * images + views)
    np.testing.assert_array_equal(values_at(values, np.array([2, 0]), np.array([1, 0])), [21, 0])
    seeds = np.stack([view_seeds(3, view, 5) for view in range(2)], axis=1)
    assert seeds[2, 1] == seeds[0, 1] + 2
