import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_satkd.data import synthetic_drawing as drawing

SEEDS = st.integers(0, 2**32)
SIZE = (drawing.CANVAS, drawing.CANVAS)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, number=st.integers(1, 9))
def test_tones_stay_near_their_palette(seed, number):
    colors = drawing.tone(np.random.default_rng(seed), drawing.WATER, number)
    assert (colors.shape, colors.dtype) == ((number, 3), np.float32)
    assert (colors > 0).all()
    assert (colors < 1.2 * drawing.WATER.max() + 60).all()


@pytest.mark.parametrize("grain", [3, 4.7, 32])
def test_noise_is_smooth_and_fills_the_canvas(grain):
    drawn = drawing.noise(np.random.default_rng(0), grain)
    assert drawn.shape == SIZE
    assert np.abs(np.diff(drawn)).mean() < drawn.std()
    assert 0.3 < drawn.std() < 1.5


def test_coarse_noise_is_smoother_than_fine_noise():
    fine, coarse = (drawing.noise(np.random.default_rng(0), grain) for grain in (4, 32))
    assert np.abs(np.diff(coarse)).mean() < np.abs(np.diff(fine)).mean() / 3


def test_clouds_of_one_octave_are_noise():
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    np.testing.assert_array_equal(drawing.clouds(one, 20, octaves=1), drawing.noise(other, 20))


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_turned_coordinates_keep_lengths(seed):
    along, across = drawing.turned(np.random.default_rng(seed))
    for steps in (0, 1):
        lengths = np.hypot(np.diff(along, axis=steps), np.diff(across, axis=steps))
        np.testing.assert_allclose(lengths, 1, atol=1e-3)


def test_an_angle_of_zero_turns_nothing():
    along, across = drawing.turned(np.random.default_rng(0), angle=0.0)
    np.testing.assert_allclose(np.diff(along, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.diff(across, axis=0), 1, atol=1e-5)


def test_an_edge_falls_within_a_pixel_and_a_half():
    np.testing.assert_allclose(drawing.edge(np.array([-9, -0.75, 0, 0.75, 9])), [1, 1, 0.5, 0, 0])


def test_paint_covers_where_the_mask_is_one():
    scene = np.full((*SIZE, 3), 10.0)
    painted = drawing.paint(scene, drawing.edge(drawing.X), np.array([200.0, 100.0, 50.0]))
    np.testing.assert_array_equal(painted[0, 0], [200, 100, 50])
    np.testing.assert_array_equal(painted[0, -1], [10, 10, 10])


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, cuts=st.integers(1, 4))
def test_parcels_have_numbers_from_zero(seed, cuts):
    number = drawing.parcels(np.random.default_rng(seed), cuts)
    assert number.shape == SIZE
    assert 0 <= number.min() <= number.max() < (cuts + 1) ** 2


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_furrows_are_no_stronger_than_asked_for(seed):
    random = np.random.default_rng(seed)
    drawn = drawing.furrows(random, drawing.parcels(random, 2), strength=20)
    assert drawn.shape == SIZE
    assert 0 < np.abs(drawn).max() <= 1.2 * 20


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_countryside_is_an_image(seed):
    assert drawing.countryside(np.random.default_rng(seed)).shape == (*SIZE, 3)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_blocks_lie_inside_their_cells(seed):
    random = np.random.default_rng(seed)
    along, across = drawing.turned(random)
    distance, number = drawing.blocks(random, along, across, (20, 14), (0.45, 0.75))
    assert distance.shape == number.shape == SIZE
    assert number.min() >= 0
    # A cell's middle line belongs to its block, its border never does.
    border = np.minimum(along / 20 - np.floor(along / 20), across / 14 - np.floor(across / 14)) < 0.01
    assert (distance[border] > 0).all()
    assert (distance < 0).any()
