"""Synthetic satellite images in EuroSAT's ten classes: data for a first run, without a download.

Classes differ in structure (furrows, canopies, lattices, roofs, roads, banks) but hardly in color: palette, light,
direction and position are random in every image, so a linear model on pixels fails and a small network learns.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image
from tqdm import tqdm

from firmware_export.images.collect import empty_images
from firmware_export.images.image_set import ImageSet
from keras_satkd.data.synthetic_drawing import (
    EARTH,
    PAVING,
    ROOFS,
    WATER,
    X,
    Y,
    blocks,
    clouds,
    countryside,
    edge,
    furrows,
    noise,
    paint,
    parcels,
    tone,
    turned,
)


def scenes(number: int, seed: int, image_size: int) -> ImageSet:
    """`number` images, distributed over the ten classes as evenly as possible.

    An image depends only on `seed`, its class and its position in the class, so drawing more images changes none.
    """
    counts = [len(range(label, number, len(CLASS_NAMES))) for label in range(len(CLASS_NAMES))]
    labels = np.repeat(np.arange(len(CLASS_NAMES), dtype=np.int32), counts)
    images = empty_images(number, (image_size, image_size, 3))
    files = []
    for position, label in enumerate(tqdm(labels, desc="drawing", unit="scene", disable=None)):
        index = position - sum(counts[:label])
        images[position] = scene(CLASS_NAMES[label], index, seed, image_size)
        files.append(f"synthetic/{CLASS_NAMES[label]}/{index:05d}")
    return ImageSet(images, labels, tuple(files), CLASS_NAMES)


def scene(class_name: str, index: int, seed: int, image_size: int) -> np.ndarray:
    """Scene `index` of a class: uint8 [image_size, image_size, 3] RGB."""
    random = np.random.default_rng([seed, CLASS_NAMES.index(class_name), index])
    drawn = _SCENES[class_name](random) + 4 * noise(random, 3)[..., None]
    light = (random.uniform(0.65, 1.25) * random.normal(1, 0.06, 3)).astype(np.float32)
    haze = random.uniform(0, 30)
    canvas = Image.fromarray(np.clip(drawn * light + haze, 0, 255).astype(np.uint8))
    small = np.asarray(canvas.resize((image_size, image_size), Image.Resampling.BILINEAR), np.float32)
    grain = random.standard_normal(small.shape, np.float32) * random.uniform(1, 5)
    return np.clip(small + grain, 0, 255).astype(np.uint8)


def _annual_crop(random: np.random.Generator) -> np.ndarray:
    number = parcels(random, int(random.integers(1, 3)))
    colors = tone(random, EARTH, number.max() + 1)
    scene: np.ndarray = colors[number] + furrows(random, number, 20)[..., None] + 4 * clouds(random, 20)[..., None]
    return scene


def _forest(random: np.random.Generator) -> np.ndarray:
    canopy = noise(random, random.uniform(4, 6))
    angle = random.uniform(0, 2 * np.pi)
    # The light comes from one side, so the slope of the canopy is visible rather than its height.
    down, right = np.gradient(canopy)
    lit = 22 * (right * np.cos(angle) + down * np.sin(angle)) + 8 * canopy
    ground = tone(random, EARTH)[0] * (0.75 + 0.06 * noise(random, 40))[..., None]
    scene: np.ndarray = ground + random.uniform(1.0, 1.5) * lit[..., None]
    return scene


def _herbaceous(random: np.random.Generator) -> np.ndarray:
    colors = tone(random, EARTH, 3)
    scene = colors[0] + 9 * clouds(random, 24)[..., None]
    scene = paint(scene, np.clip(0.5 + 0.5 * clouds(random, 40), 0, 1), colors[1])
    return paint(scene, np.clip(clouds(random, 28) - 0.3, 0, 1), colors[2])


def _highway(random: np.random.Generator) -> np.ndarray:
    scene = countryside(random)
    angle = random.uniform(0, np.pi)
    paving, verge = tone(random, PAVING)[0], tone(random, EARTH)[0]
    if random.random() < 0.6:
        _, across = turned(random, angle + random.uniform(0.7, 2.4))
        scene = paint(scene, edge(np.abs(across) - random.uniform(2, 3.5)), tone(random, PAVING)[0])
    _, across = turned(random, angle)
    lane, median = random.uniform(4, 6.5), random.uniform(1.8, 3)
    scene = paint(scene, edge(np.abs(across) - median - lane - 3), verge)
    return paint(scene, edge(np.abs(np.abs(across) - median - lane / 2) - lane / 2), paving * random.choice([0.6, 1.2]))


def _industrial(random: np.random.Generator) -> np.ndarray:
    along, across = turned(random)
    size = random.uniform(38, 64), random.uniform(38, 64)
    scene = tone(random, PAVING)[0] * random.uniform(0.6, 1) + 8 * clouds(random, 10)[..., None]
    distance, number = blocks(random, along, across, size, (0.6, 0.9))
    sun = random.choice([-4, 4], 2)
    shadow = np.roll(edge(distance), sun, axis=(0, 1))
    scene = paint(scene, 0.7 * shadow, np.zeros(3, np.float32))
    ridges = 8 * np.sign(np.sin(along * (2 * np.pi / random.uniform(8, 14))))
    return paint(scene, edge(distance), tone(random, ROOFS, number.max() + 1)[number] + ridges[..., None])


def _pasture(random: np.random.Generator) -> np.ndarray:
    corners = random.uniform(-70, 70, (random.integers(4, 8), 2)).astype(np.float32)
    right, down = X + 5 * noise(random, 24), Y + 5 * noise(random, 24)
    distance = np.stack([np.sqrt((right - x) ** 2 + (down - y) ** 2) for x, y in corners])
    number = np.argmin(distance, axis=0)
    nearest, second = np.partition(distance, 1, axis=0)[:2]
    base = tone(random, EARTH)[0]
    shades = base + random.normal(0, 9, (len(corners), 3)).astype(np.float32)
    scene = shades[number] + 3 * clouds(random, 30)[..., None]
    hedge = tone(random, EARTH)[0] * 0.45
    scene = paint(scene, edge(second - nearest - 3 - 2 * noise(random, 6)), hedge)
    trees = random.uniform(-60, 60, (random.integers(4, 14), 2)).astype(np.float32)
    away = np.sqrt(np.min([(X - x) ** 2 + (Y - y) ** 2 for x, y in trees], axis=0))
    return paint(scene, edge(away - random.uniform(2.5, 4)), hedge)


def _permanent_crop(random: np.random.Generator) -> np.ndarray:
    along, across = turned(random)
    spacing = random.uniform(9, 14)
    stretch = random.uniform(0.85, 1.2)
    wave = np.cos(2 * np.pi * along / spacing) + np.cos(2 * np.pi * across / (spacing * stretch))
    crowns = np.clip(2.2 * (wave - random.uniform(0.1, 0.5) + 0.25 * noise(random, spacing)), 0, 1)
    soil, leaves = tone(random, EARTH, 2)
    # Leaves are darker than the soil, whatever the random colors are.
    leaves = leaves * (random.uniform(0.45, 0.7) * soil.mean() / leaves.mean())
    return paint(soil + 6 * clouds(random, 24)[..., None], crowns, leaves)


def _residential(random: np.random.Generator) -> np.ndarray:
    along, across = turned(random)
    size = random.uniform(11, 15), random.uniform(13, 18)
    scene = tone(random, EARTH)[0] + 14 * noise(random, 4)[..., None]
    distance, number = blocks(random, along, across, size, (0.45, 0.75))
    roofs = tone(random, ROOFS, number.max() + 1)
    scene = paint(scene, edge(distance + 0.5), roofs[number])
    street = tone(random, PAVING)[0]
    for axis, every in ((across, 2 * size[1]), (along, size[0] * random.integers(4, 7))):
        scene = paint(scene, edge(np.abs((axis + every / 2) % every - every / 2) - 2.2), street)
    return scene


def _river(random: np.random.Generator) -> np.ndarray:
    along, across = turned(random)
    bend = random.uniform(8, 22) * np.sin(along * (2 * np.pi / random.uniform(80, 170)) + random.uniform(0, 2 * np.pi))
    width = random.uniform(7, 15) * (1 + 0.15 * noise(random, 32))
    distance = np.abs(across - bend + 2 * noise(random, 20)) - width
    bank = tone(random, EARTH)[0] * random.uniform(0.7, 1.2)
    scene = paint(countryside(random), edge(distance - random.uniform(2, 6)), bank)
    return paint(scene, edge(distance), tone(random, WATER)[0] * random.uniform(0.6, 1.1))


def _sea_lake(random: np.random.Generator) -> np.ndarray:
    along, across = turned(random)
    slope = random.uniform(-0.15, 0.15) * along + 3 * noise(random, 50)
    swell = np.sin(2 * np.pi * across / random.uniform(7, 14) + 1.5 * noise(random, 24))
    water = tone(random, WATER)[0] * random.uniform(0.7, 1.4)
    scene: np.ndarray = water + slope[..., None] + random.uniform(2, 5) * swell[..., None]
    return scene


_SCENES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "AnnualCrop": _annual_crop,
    "Forest": _forest,
    "HerbaceousVegetation": _herbaceous,
    "Highway": _highway,
    "Industrial": _industrial,
    "Pasture": _pasture,
    "PermanentCrop": _permanent_crop,
    "Residential": _residential,
    "River": _river,
    "SeaLake": _sea_lake,
}

CLASS_NAMES = tuple(_SCENES)
