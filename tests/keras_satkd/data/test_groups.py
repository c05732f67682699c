import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from keras_satkd.data import groups

NAMES = ("Forest/S2A_20200103_1.tif", "River/S2B_20200103_2.tif", "River/S2A_20210505_3.tif")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"_(\d{8})_", ("20200103", "20200103", "20210505")),
        (r"S2._\d{8}", ("S2A_20200103", "S2B_20200103", "S2A_20210505")),
        (r"(S2.)_(\d{4})", ("S2A/2020", "S2B/2020", "S2A/2021")),
    ],
)
def test_groups_in_names(pattern, expected):
    assert groups.by_pattern(NAMES, pattern) == expected


def test_patterns_that_do_not_fit():
    with pytest.raises(UserError, match=r"'\(S2' is neither a column nor a regular expression"):
        groups.by_pattern(NAMES, "(S2")
    with pytest.raises(UserError, match=r"'S2A' finds no group in 1 of 3 names, the first is 'River/S2B_"):
        groups.by_pattern(NAMES, "S2A")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
def test_no_key_divides_the_joined_groups(pairs):
    keys = [[str(pair[axis]) for pair in pairs] for axis in (0, 1)]
    numbers = groups.joined(*keys)
    for key in keys:
        for value in set(key):
            assert len({number for number, its in zip(numbers, key, strict=True) if its == value}) == 1
    assert sorted(set(numbers)) == list(range(numbers.max() + 1))
    assert len(set(groups.joined(keys[0]))) == len(set(keys[0]))


def test_blocks_of_the_plane():
    places = np.array([[0, 0], [99, 99], [100, 0], [-1, 0]], float)
    assert groups.blocks(places, 100).tolist() == [[0, 0], [0, 0], [1, 0], [-1, 0]]


@given(st.floats(-180, 180), st.floats(-89.9, 89.9), st.floats(1, 500))
def test_blocks_of_the_sphere_are_not_larger_than_asked_for(longitude, latitude, size):
    random = np.random.default_rng(0)
    longitudes, latitudes = longitude + random.uniform(-8, 8, 300), latitude + random.uniform(-8, 8, 300)
    places = groups.on_sphere(longitudes, np.clip(latitudes, -90, 90))
    found = groups.blocks(places, size)
    for block in np.unique(found, axis=0):
        inside = places[(found == block).all(axis=1)]
        if abs(latitude) < 75:  # near a pole, the blocks of a row are narrower on one side
            assert np.linalg.norm(inside[:, None] - inside[None], axis=-1).max() <= 1.5 * 2**0.5 * size


def test_images_beside_each_other_are_neighbors():
    grid = np.array([[x, y] for x in range(5) for y in range(5)], float) * 640
    distance = groups.neighbor_distance(np.concatenate([grid, grid]))
    assert 640 * 2**0.5 < distance < 2 * 640
    near = groups.near(grid, grid[[12]], distance)
    assert sorted(map(tuple, grid[near] / 640)) == [(x, y) for x in (1, 2, 3) for y in (1, 2, 3)]
    assert groups.neighbor_distance(grid[:1]) == 0
    assert not groups.near(grid, grid[:0], distance).any()
