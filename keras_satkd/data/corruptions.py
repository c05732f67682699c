"""Corruptions of satellite images: sensor noise, platform jitter, lossy storage or downlink, changed light.

    disturbed = CORRUPTIONS["motion_blur"](images, 3)

Every corruption is a pure function: uint8 [N, H, W, C] and a severity 1..5 → uint8 [N, H, W, C]. Its random numbers for
an image depend only on the image's position, not on the severity or the number of images. So all models are compared on
the same corrupted images, and a higher severity is a stronger version of the same corruption.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import convolve
from tqdm import tqdm

SEVERITIES: dict[str, tuple[float, ...]] = {
    "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
    "motion_blur": (3, 5, 7, 9, 11),
    "jpeg": (80, 60, 40, 25, 10),
    "light": (0.05, 0.10, 0.15, 0.20, 0.25),
}
"""Strength at severities 1..5: standard deviation as a fraction of full range (from ImageNet-C, Hendrycks & Dietterich,
arXiv 1903.12261); blur length in pixels of an image 64 pixels high; JPEG quality; largest change of gain."""

_REFERENCE_HEIGHT = 64
_SAMPLES_PER_PIXEL = 16


def gaussian_noise(images: np.ndarray, severity: int) -> np.ndarray:
    """Sensor noise: independent normal noise on every pixel and channel.

    Args:
        images: uint8 [N, H, W, C].
        severity: 1..5.

    Returns:
        uint8 [N, H, W, C].

    Raises:
        ValueError: `severity` is out of range.
    """
    deviation = 255 * _strength("gaussian_noise", severity)

    def disturb(image: np.ndarray, position: int) -> np.ndarray:
        noise = _generator("gaussian_noise", position).standard_normal(image.shape, np.float32)
        noisy: np.ndarray = image + deviation * noise
        return noisy

    return _one_by_one(disturb, images)


def motion_blur(images: np.ndarray, severity: int) -> np.ndarray:
    """Platform jitter: each image is blurred along a straight line in its own random direction.

    The kernel models a sensor that integrates while the image moves at constant speed, with bilinear interpolation. Its
    sum is 1, and images are reflected at their borders, so brightness is preserved.

    Args:
        images: uint8 [N, H, W, C].
        severity: 1..5.

    Returns:
        uint8 [N, H, W, C].

    Raises:
        ValueError: `severity` is out of range.
    """
    length = _strength("motion_blur", severity) * images.shape[1] / _REFERENCE_HEIGHT

    def disturb(image: np.ndarray, position: int) -> np.ndarray:
        angle = _generator("motion_blur", position).uniform(0, np.pi)
        kernel = line_kernel(length, angle)[:, :, np.newaxis]
        smeared: np.ndarray = convolve(image, kernel, output=np.float32, mode="reflect")
        return smeared

    return _one_by_one(disturb, images)


def line_kernel(length: float, angle: float) -> np.ndarray:
    """A centered line of `length` pixels at `angle` radians: float64 [K, K] with sum 1, K odd."""
    samples = max(1, round(_SAMPLES_PER_PIXEL * length))
    along = ((np.arange(samples) + 0.5) / samples - 0.5) * length
    radius = int(length / 2) + 1
    rows, columns = radius + along * np.sin(angle), radius + along * np.cos(angle)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = rows - top, columns - left
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    np.add.at(kernel, (top, left), (1 - down) * (1 - right))
    np.add.at(kernel, (top, left + 1), (1 - down) * right)
    np.add.at(kernel, (top + 1, left), down * (1 - right))
    np.add.at(kernel, (top + 1, left + 1), down * right)
    return kernel / samples


def jpeg(images: np.ndarray, severity: int) -> np.ndarray:
    """Lossy storage or downlink: JPEG compression and decompression; of several bands, each as a gray image.

    Args:
        images: uint8 [N, H, W, C].
        severity: 1..5.

    Returns:
        uint8 [N, H, W, C].

    Raises:
        ValueError: `severity` is out of range.
    """
    quality = int(_strength("jpeg", severity))

    return _one_by_one(lambda image, position: recoded(image, format="JPEG", quality=quality), images)


def recoded(image: np.ndarray, **options: Any) -> np.ndarray:
    """An image after its compression and decompression: RGB as one, any other bands as one gray image each.

    Args:
        image: uint8 [H, W, C].
        options: of Pillow's `save`.

    Returns:
        uint8 [H, W, C].
    """

    def one(pixels: np.ndarray) -> np.ndarray:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, **options)
        return np.asarray(Image.open(stream))

    if image.shape[-1] == 3:
        return one(image)
    return np.stack([one(np.ascontiguousarray(image[..., band])) for band in range(image.shape[-1])], axis=-1)


def light(images: np.ndarray, severity: int) -> np.ndarray:
    """Changed light: a random gain for each image, and one for each of its channels that varies half as much.

    Args:
        images: uint8 [N, H, W, C].
        severity: 1..5.

    Returns:
        uint8 [N, H, W, C].

    Raises:
        ValueError: `severity` is out of range.
    """
    largest = _strength("light", severity)

    def disturb(image: np.ndarray, position: int) -> np.ndarray:
        brightness, *color = _generator("light", position).uniform(-1, 1, 1 + image.shape[-1])
        gains = (1 + largest * brightness) * (1 + largest / 2 * np.array(color))
        lit: np.ndarray = image * gains.astype(np.float32)
        return lit

    return _one_by_one(disturb, images)


CORRUPTIONS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "gaussian_noise": gaussian_noise,
    "motion_blur": motion_blur,
    "jpeg": jpeg,
    "light": light,
}
"""Every corruption by name; `SEVERITIES` gives their strengths."""


def accuracies(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]], images: np.ndarray, labels: np.ndarray
) -> dict[str, dict[str, list[float]]]:
    """Accuracy of models under every corruption.

    Args:
        models: by name; each takes uint8 [N, H, W, C] and returns logits [N, C].
        images: uint8 [N, H, W, C].
        labels: int [N].

    Returns:
        For each model and corruption, by name, the accuracies in [0, 1] at severities 1..5.
    """
    found: dict[str, dict[str, list[float]]] = {model: {name: [] for name in CORRUPTIONS} for model in models}
    pairs = [(name, severity) for name in CORRUPTIONS for severity in range(1, len(SEVERITIES[name]) + 1)]
    for name, severity in tqdm(pairs, desc="corruptions", disable=None):
        disturbed = CORRUPTIONS[name](images, severity)
        for model, logits_of in models.items():
            found[model][name].append(float(np.mean(logits_of(disturbed).argmax(axis=1) == labels)))
    return found


def _strength(name: str, severity: int) -> float:
    strengths = SEVERITIES[name]
    if severity not in range(1, len(strengths) + 1):
        raise ValueError(f"severity {severity} of {name}: expected 1..{len(strengths)}")
    return strengths[severity - 1]


def _generator(name: str, position: int) -> np.random.Generator:
    return np.random.default_rng([list(SEVERITIES).index(name), position])


def _one_by_one(disturb: Callable[[np.ndarray, int], np.ndarray], images: np.ndarray) -> np.ndarray:
    # A float copy of a test set would need a quarter of a gigabyte, and the loop costs less than the random numbers.
    disturbed = np.empty(images.shape, np.uint8)
    for position, image in enumerate(images):
        disturbed[position] = np.clip(np.rint(disturb(image, position)), 0, 255)
    return disturbed
