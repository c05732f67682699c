"""Generated images, to verify a model for which no real images are given."""

import numpy as np

from firmware_export.common.steps import step


@step("drawing images")
def generated_images(shape: tuple[int, ...], count: int, seed: int = 0) -> np.ndarray:
    """Generate random scenes: smooth shading with rectangles, some noisy, some saturated; one black and one white.

    Noise alone would excite a network's first layer evenly and leave every later layer near its mean.

    Args:
        shape: one image, without the batch. Any shape other than height, width, channels is treated as a row of
            samples.
        count: number of images.
        seed: the same seed gives the same images.

    Returns:
        uint8 [count, …shape].
    """
    generator = np.random.default_rng(seed)
    height, width, channels = shape if len(shape) == 3 else (1, int(np.prod(shape)), 1)
    images = np.stack([_scene(generator, height, width, channels) for _ in range(count)])
    images[:1], images[1:2] = 0, 255
    return images.reshape(count, *shape)


def _scene(generator: np.random.Generator, height: int, width: int, channels: int) -> np.ndarray:
    scene = _shading(generator, height, width, channels)
    for _ in range(generator.integers(0, 6)):
        top, left = generator.integers(0, height), generator.integers(0, width)
        bottom, right = top + generator.integers(1, height + 1), left + generator.integers(1, width + 1)
        scene[top:bottom, left:right] = generator.uniform(-64, 320, channels)
    scene += generator.normal(0, generator.choice([0, 4, 32]), scene.shape)
    pixels: np.ndarray = np.clip(scene, 0, 255).round().astype(np.uint8)
    return pixels


def _shading(generator: np.random.Generator, height: int, width: int, channels: int) -> np.ndarray:
    corners = generator.uniform(0, 255, (4, 4, channels))
    rows, columns = (np.linspace(0, 3, size) for size in (height, width))
    down = np.stack([np.interp(rows, range(4), line) for line in corners.transpose(1, 2, 0).reshape(-1, 4)], axis=-1)
    down = down.reshape(height, 4, channels)
    across = [np.interp(columns, range(4), line) for line in down.transpose(0, 2, 1).reshape(-1, 4)]
    return np.stack(across).reshape(height, channels, width).transpose(0, 2, 1)
