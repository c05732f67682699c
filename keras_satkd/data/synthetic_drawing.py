"""Drawing functions for synthetic satellite images: noise, colors, parcels, roofs. Colors are floats in 0..255."""

import numpy as np
from PIL import Image

# Twice the size of a EuroSAT image, so that downscaling smooths the edges.
CANVAS = 128

# Pixels from the middle of the canvas, to the right and down.
Y, X = np.mgrid[:CANVAS, :CANVAS].astype(np.float32) - CANVAS / 2

_GRASS = [(84, 104, 60), (112, 124, 70), (98, 112, 82), (62, 86, 56)]
_SOIL = [(148, 140, 92), (170, 150, 108), (126, 102, 78), (182, 168, 130)]
EARTH = np.array(_GRASS + _SOIL, np.float32)
WATER = np.array([(44, 72, 96), (60, 96, 94), (84, 96, 84), (46, 62, 74), (70, 104, 120), (104, 112, 88)], np.float32)
_METAL = [(205, 205, 200), (170, 172, 178), (128, 134, 146), (226, 222, 212), (112, 128, 158)]
ROOFS = np.array([*_METAL, (150, 92, 76)], np.float32)
PAVING = np.array([(150, 148, 142), (128, 126, 122), (168, 162, 150), (104, 104, 106)], np.float32)


def tone(random: np.random.Generator, palette: np.ndarray, number: int = 1) -> np.ndarray:
    """Colors [number, 3] from `palette` [M, 3] with random changes of brightness and hue."""
    chosen = palette[random.integers(len(palette), size=number)]
    return (chosen * random.uniform(0.8, 1.2, (number, 1)) + random.normal(0, 6, (number, 3))).astype(np.float32)


def noise(random: np.random.Generator, grain: float) -> np.ndarray:
    """Smooth noise [CANVAS, CANVAS] of unit variance at its knots, `grain` pixels apart."""
    knots = int(np.ceil(CANVAS / grain)) + 3
    values = Image.fromarray(random.standard_normal((knots, knots), np.float32))
    box = (1, 1, 1 + CANVAS / grain, 1 + CANVAS / grain)
    return np.asarray(values.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC, box=box))


def clouds(random: np.random.Generator, grain: float, octaves: int = 3) -> np.ndarray:
    """Fractal noise: every octave is half as coarse and half as strong as the previous one."""
    total: np.ndarray = sum(noise(random, grain / 2**octave) / 2**octave for octave in range(octaves))
    return total


def turned(random: np.random.Generator, angle: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across a random direction (or `angle`, in radians), from a random center."""
    angle = random.uniform(0, np.pi) if angle is None else angle
    right, down = random.uniform(-24, 24, 2).astype(np.float32)
    sine, cosine = np.float32(np.sin(angle)), np.float32(np.cos(angle))
    return (X - right) * cosine + (Y - down) * sine, (Y - down) * cosine - (X - right) * sine


def edge(distance: np.ndarray) -> np.ndarray:
    """1 inside (`distance` in pixels below 0), falling to 0 outside, over a pixel and a half."""
    return np.clip(0.5 - distance / 1.5, 0, 1)


def paint(scene: np.ndarray, mask: np.ndarray, color: np.ndarray) -> np.ndarray:
    """`scene` [CANVAS, CANVAS, 3] with `color` ([3], or an image) laid over it where `mask` is 1."""
    painted: np.ndarray = scene + mask[..., None] * (color - scene)
    return painted


def parcels(random: np.random.Generator, cuts: int) -> np.ndarray:
    """Integer parcel numbers [CANVAS, CANVAS]: strips between straight lines, each cut independently into parcels."""
    along, across = turned(random)
    along = along + random.uniform(-0.3, 0.3) * across
    strip = np.searchsorted(np.sort(random.uniform(-48, 48, cuts)), across)
    lines = np.sort(random.uniform(-52, 52, (cuts + 1, cuts)), axis=1).astype(np.float32)
    number: np.ndarray = strip * (cuts + 1) + (along[..., None] > lines[strip]).sum(-1)
    return number


def furrows(random: np.random.Generator, number: np.ndarray, strength: float) -> np.ndarray:
    """Plow lines, with a random direction and width per parcel; `strength` in pixel levels."""
    parcels_drawn = number.max() + 1
    angle = random.uniform(0, np.pi, parcels_drawn)
    wave = 2 * np.pi / random.uniform(5, 9, parcels_drawn)
    height = strength * random.uniform(0.5, 1.2, parcels_drawn)
    right, down = (wave * np.cos(angle)).astype(np.float32), (wave * np.sin(angle)).astype(np.float32)
    waves: np.ndarray = height.astype(np.float32)[number] * np.sin(X * right[number] + Y * down[number])
    return waves


def countryside(random: np.random.Generator) -> np.ndarray:
    """The background of roads and rivers: smooth fields or open land."""
    colors = tone(random, EARTH, 12)
    if random.random() < 0.5:
        ground: np.ndarray = colors[parcels(random, 2)] + 6 * clouds(random, 16)[..., None]
        return ground
    return paint(colors[0] + np.zeros((CANVAS, CANVAS, 3), np.float32), edge(12 * clouds(random, 40)), colors[1])


def blocks(
    random: np.random.Generator,
    along: np.ndarray,
    across: np.ndarray,
    size: tuple[float, float],
    fill: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles in a grid of cells of `size` pixels; each fills a random fraction (in the range `fill`) of its cell.

    Returns:
        Distance in pixels to the rectangle's border (below 0 inside), and the cell's number: both [CANVAS, CANVAS].
    """
    column, row = np.floor(along / size[0]), np.floor(across / size[1])
    inside = along - (column + 0.5) * size[0], across - (row + 0.5) * size[1]
    column, row = (column - column.min()).astype(np.intp), (row - row.min()).astype(np.intp)
    number = column * (row.max() + 1) + row
    distance = np.full_like(along, -np.inf)
    for place, side in zip(inside, size, strict=True):
        half = side / 2 * random.uniform(*fill, number.max() + 1).astype(np.float32)
        middle = 0.7 * (side / 2 - half) * random.uniform(-1, 1, len(half)).astype(np.float32)
        distance = np.maximum(distance, np.abs(place - middle[number]) - half[number])
    return distance, number
