"""Disturbed training images: each image passes through a randomly drawn camera.

    disturb = Mixture(BROAD, share=0.5)
    images = disturb(images, seeds)

Training and evaluation use the same NumPy code; `tf.data` calls it by `tf.numpy_function`. The same image and seed
always give the same view, so the teachers' logits can be computed before the student is trained on the view.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from keras_satkd.camera.pixels import generators, to_uint8
from keras_satkd.camera.suite import HELD_OUT, KINDS

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Range:
    """The distribution from which the severity of one kind is drawn.

    Attributes:
        probability: probability that a disturbed image has this kind, in [0, 1].
        low: lowest severity.
        high: highest severity.
        logarithmic: whether the logarithm of the severity is uniform, instead of the severity.
        profile: ratio of each band's severity to the mean over the bands; None if all bands have the same severity.
        spread: each band's severity is drawn within this fraction of it; 0 if all bands have the same severity.
    """

    probability: float
    low: float
    high: float
    logarithmic: bool = False
    profile: tuple[float, ...] | None = None
    spread: float = 0.0

    def draw(self, uniform: np.ndarray) -> np.ndarray:
        """Severities from uniform random numbers [N] in [0, 1): float [N], or [N, C] with a profile."""
        if self.logarithmic:
            severities = self.low * (self.high / self.low) ** uniform
        else:
            severities = self.low + (self.high - self.low) * uniform
        return severities if self.profile is None else severities[:, None] * np.array(self.profile)


BROAD: dict[str, Range] = {
    "psf": Range(0.3, 0.3, 1.4, logarithmic=True, spread=0.4),  # a lens does not focus all bands alike
    "smear": Range(0.08, 1, 6, logarithmic=True),
    "gain": Range(0.25, 0.7, 1.3),
    "band_gain": Range(0.15, 1, 10),
    "offset": Range(0.25, 1, 40),
    "prnu": Range(0.15, 0.3, 5),
    "snr": Range(0.35, 10, 200, logarithmic=True),
    "defects": Range(0.07, 0.03, 2, logarithmic=True),
    "dead_columns": Range(0.07, 1, 6),
    "bits": Range(0.05, 4, 8),
    "jpeg": Range(0.25, 40, 97),
    "jpeg2000": Range(0.04, 0.5, 3, logarithmic=True),
}
"""Any camera from healthy to poor. The kinds are in the order of the signal chain."""


@dataclass(frozen=True)
class Mixture:
    """A random camera for each image. Its `repr` contains all its settings.

    Attributes:
        ranges: distribution of the severity of each kind in `KINDS`, by name, in the order of application.
        share: fraction of the images that are disturbed, 0..1.

    Raises:
        ValueError: a kind belongs to a group in `HELD_OUT`.
    """

    ranges: Mapping[str, Range] = field(default_factory=lambda: BROAD)
    share: float = 0.5

    def __post_init__(self) -> None:
        for name in self.ranges:
            if KINDS[name].group in HELD_OUT:
                raise ValueError(f"{name} belongs to {KINDS[name].group}, which training never uses")

    def __call__(self, images: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Disturb a fraction `share` of the images.

        Args:
            images: uint8 [N, H, W, C].
            seeds: int [N], not negative.

        Returns:
            uint8 [N, H, W, C].
        """
        numbers = 1 + 2 * len(self.ranges)
        draws = np.array([generator.random(numbers) for generator in generators(seeds, "mixture")])
        whether = draws[:, 0] < self.share
        disturbed = images.copy()
        if whether.any():
            pixels = images[whether].astype(np.float32)
            self._disturb(pixels, draws[whether, 1:].reshape(len(pixels), -1, 2), seeds[whether])
            disturbed[whether] = to_uint8(pixels)
        return disturbed

    def in_graph(self, images: "tf.Tensor", seeds: "tf.Tensor") -> "tf.Tensor":
        """The same as a TensorFlow operation: uint8 [N, H, W, C], int64 [N] → uint8 [N, H, W, C]."""
        # Evaluation and reports also use this module, and this import takes seconds.
        import tensorflow as tf

        disturbed = tf.numpy_function(self, [images, seeds], tf.uint8)
        return tf.ensure_shape(disturbed, images.shape)

    def _disturb(self, pixels: np.ndarray, draws: np.ndarray, seeds: np.ndarray) -> None:
        """Disturb float32 images in place."""
        for at, (name, drawn) in enumerate(self.ranges.items()):
            chosen = draws[:, at, 0] < drawn.probability
            if chosen.any():
                severities = drawn.draw(draws[chosen, at, 1])
                if drawn.spread:
                    factors = _band_factors(drawn.spread, seeds[chosen], pixels.shape[-1])
                    severities = severities.reshape(len(factors), -1) * factors
                pixels[chosen] = KINDS[name].disturb(pixels[chosen], severities, seeds[chosen])


def _band_factors(spread: float, seeds: np.ndarray, bands: int) -> np.ndarray:
    uniform = np.array([generator.random(bands) for generator in generators(seeds, "bands")])
    return 1 + spread * (2 * uniform - 1)


def view_seeds(images: int, view: int, seed: int) -> np.ndarray:
    """Seeds of one view of all images, int64 [images]. They differ between views, and between 2^14 values of `seed`."""
    return (seed % 2**14 << 48) + (view << 32) + np.arange(images, dtype=np.int64)
