"""Procedurally drawn land-cover scenes."""
import numpy as np

from keras_satkd.image_set import ImageSet

CLASS_NAMES = (
    "AnnualCrop",
    "Forest",
    "HerbaceousVegetation",
    "Highway",
    "Industrial",
    "Pasture",
    "PermanentCrop",
    "Residential",
    "River",
    "SeaLake",
)


def scenes(number, seed, image_size):
    """Placeholder until the drawing is there."""
    labels = np.sort(np.arange(number) % 10).astype(np.int32)
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 255, (number, image_size, image_size, 3), np.uint8)
    files = tuple(f"synthetic/{CLASS_NAMES[c]}/{i:05d}" for i, c in enumerate(labels))
    return ImageSet(images, labels, files, CLASS_NAMES)
