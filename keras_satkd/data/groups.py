"""Images that no split may divide: those of a group (a scene, a date), and those of an area."""

import math
import re
from collections.abc import Collection, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from firmware_export.common.errors import UserError

EARTH_RADIUS = 6371.0
"""Mean radius of the Earth in kilometers."""

_NEIGHBORS = 1.5
"""Images within this many tile distances are neighbors: those beside each other, and those at a corner (√2)."""


def by_pattern(names: Sequence[str], pattern: str) -> tuple[str, ...]:
    """The group of each image: what a regular expression finds in its name, as its parentheses or as a whole.

    Raises:
        UserError: it is no regular expression, or finds nothing in a name.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(
            f"--data.group {pattern!r} is neither a column nor a regular expression ({error}): give one of both"
        ) from None
    found = [compiled.search(name) for name in names]
    without = [name for name, match in zip(names, found, strict=True) if match is None]
    if without:
        raise UserError(
            f"--data.group {pattern!r} finds no group in {len(without)} of {len(names)} names, the first is "
            f"{without[0]!r}: give a regular expression for all names, or a column of the manifest"
        )
    return tuple(_group(match) for match in found if match)


def among(names: Sequence[str], pattern: str, groups: Collection[str]) -> list[tuple[str, str]]:
    """The names in which a regular expression finds one of these groups, each with its group."""
    matches = {name: match for name in names if (match := re.search(pattern, name))}
    return [(name, group) for name, match in matches.items() if (group := _group(match)) in groups]


def _group(match: re.Match[str]) -> str:
    return "/".join(match.groups("")) if match.groups() else match.group()


def on_sphere(longitudes: np.ndarray, latitudes: np.ndarray) -> np.ndarray:
    """Places in kilometers from the middle of the Earth, float64 [N, 3], of longitudes and latitudes in degrees."""
    east, north = np.radians(longitudes), np.radians(latitudes)
    axes = [np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)]
    return EARTH_RADIUS * np.stack(axes, axis=1)


def blocks(positions: np.ndarray, size: float) -> np.ndarray:
    """The square block of each image, int64 [N, 2].

    On the sphere, rows of blocks follow the latitude, and the blocks of a row are equally wide.

    Args:
        positions: as in `ImageSet.positions`.
        size: side of a block in the same unit.
    """
    if positions.shape[1] == 2:
        return np.floor(positions / size).astype(np.int64)
    north = np.arcsin(np.clip(positions[:, 2] / EARTH_RADIUS, -1, 1))
    east = np.arctan2(positions[:, 1], positions[:, 0])
    rows = np.floor(north * EARTH_RADIUS / size)
    # The radius of a row's middle; all blocks of a row have the same number of degrees.
    radii = EARTH_RADIUS * np.cos(np.clip((rows + 0.5) * size / EARTH_RADIUS, -math.pi / 2, math.pi / 2))
    return np.stack([np.floor(east * np.maximum(radii, 0) / size), rows], axis=1).astype(np.int64)


def joined(*keys: Sequence[str]) -> np.ndarray:
    """Numbers of the smallest groups that no key divides: images that share a value of any key are together.

    Args:
        keys: each has a value for each of N images.

    Returns:
        int [N] from 0.
    """
    images = len(keys[0])
    numbers = [np.unique(np.array(values), return_inverse=True)[1] for values in keys]
    nodes = [found + images + sum(int(other.max()) + 1 for other in numbers[:at]) for at, found in enumerate(numbers)]
    ends = np.concatenate(nodes)
    size = int(ends.max()) + 1
    links = coo_array((np.ones(len(ends)), (np.tile(np.arange(images), len(keys)), ends)), shape=(size, size))
    found: np.ndarray = np.unique(connected_components(links, directed=False)[1][:images], return_inverse=True)[1]
    return found


def neighbor_distance(positions: np.ndarray) -> float:
    """The distance up to which images are neighbors: 1.5 times the median distance from an image to the nearest one.

    Images of the same place count once.
    """
    places = np.unique(positions, axis=0)
    if len(places) < 2:
        return 0.0
    return _NEIGHBORS * float(np.median(KDTree(places).query(places, k=2)[0][:, 1]))


def near(positions: np.ndarray, others: np.ndarray, distance: float) -> np.ndarray:
    """Which of the positions are within a distance of any of the others: bool [N]."""
    if not len(positions) or not len(others):
        return np.zeros(len(positions), bool)
    distances = KDTree(others).query(positions, distance_upper_bound=np.nextafter(distance, math.inf))[0]
    found: np.ndarray = np.isfinite(distances)
    return found
