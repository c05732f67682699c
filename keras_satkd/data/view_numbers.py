"""Random numbers of a fixed set of views, made when they are asked for: 20 bytes for each view of each image.

They are those of `numpy.random.default_rng(seed of the view).random((images, width), float32)`, of which the generator
can compute any without those before it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np


class ByView(Protocol):
    """Values of each view of each image, [N, V, …], that are not all in memory.

    Attributes:
        shape: of all.
        dtype: of the values.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def at(self, images: np.ndarray, views: np.ndarray) -> np.ndarray:
        """The values of views, [B, …]: numbers of images and of their views, int [B] each."""
        ...


class Drawn:
    """Random numbers in [0, 1) of views, float32 [N, V, width].

    Args:
        images: N.
        views: V.
        width: numbers for each view of an image.
        seed_of: number of a view → seed of its generator.
    """

    dtype: np.dtype[Any] = np.dtype(np.float32)

    def __init__(self, images: int, views: int, width: int, seed_of: Callable[[int], Sequence[int]]) -> None:
        self.shape: tuple[int, ...] = images, views, width
        self._seed_of = seed_of
        self._first: dict[int, Any] = {}

    def at(self, images: np.ndarray, views: np.ndarray) -> np.ndarray:
        """As `ByView.at`."""
        width = self.shape[2]
        found = np.empty((len(images), width), np.float32)
        bits = np.random.PCG64(0)
        generator = np.random.Generator(bits)
        for target, image, view in zip(found, images.tolist(), views.tolist(), strict=True):
            bits.state = self._state(view)
            # Each step of the generator makes 64 bits, which are two numbers.
            steps, is_second = divmod(image * width, 2)
            bits.advance(steps)
            if is_second:
                generator.random(dtype=np.float32)
            generator.random(out=target, dtype=np.float32)
        return found

    def _state(self, view: int) -> Any:
        if view not in self._first:
            self._first[view] = np.random.PCG64(self._seed_of(view)).state
        return self._first[view]


class OfView:
    """Values that depend on the number of the image and of the view alone.

    Args:
        shape: of all.
        dtype: of the values.
        compute: as `ByView.at`.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: Any, compute: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> None:
        self.shape, self.dtype, self.at = shape, np.dtype(dtype), compute


def values_at(values: np.ndarray | ByView, images: np.ndarray, views: np.ndarray) -> np.ndarray:
    """Values of views, [B, …], from an array [N, V, …] or from what stands for one; int [B] each."""
    found: np.ndarray = values[images, views] if isinstance(values, np.ndarray) else values.at(images, views)
    return found
