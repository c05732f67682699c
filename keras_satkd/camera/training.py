"""Disturbed training images: what the camera does is drawn for each image anew.

    disturb = Mixture(BROAD, share=0.5)
    images = disturb(images, seeds)

The same implementation as in evaluation (NumPy), called from `tf.data` by `tf.numpy_function`. A view is known by its
seed and can be made again, so that teachers see once what the student sees later.
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
    """From where the severity of one kind is drawn.

    Attributes:
        probability: that a disturbed image has this kind.
        low: least severity.
        high: greatest severity.
        logarithmic: uniform in the logarithm.
        profile: each band's severity over the bands' mean; all bands have the same when not given.
        spread: each band's severity is drawn within this fraction above or below; 0: all bands have the same.
    """

    probability: float
    low: float
    high: float
    logarithmic: bool = False
    profile: tuple[float, ...] | None = None
    spread: float = 0.0

    def draw(self, uniform: np.ndarray) -> np.ndarray:
        """Severities [N], or [N, C] with a profile, of numbers [N] in [0, 1)."""
        if self.logarithmic:
            severities = self.low * (self.high / self.low) ** uniform
        else:
            severities = self.low + (self.high - self.low) * uniform
        return severities if self.profile is None else severities[:, None] * np.array(self.profile)


BROAD: dict[str, Range] = {
    "psf": Range(0.3, 0.3, 1.4, logarithmic=True, spread=0.4),  # a lens does not focus all bands alike
    "smear": Range(0.08, 1, 6, logarithmic=True),
    "gain": Range(0.15, 0.8, 1.2),
    "band_gain": Range(0.15, 1, 10),
    "offset": Range(0.1, 1, 16),
    "prnu": Range(0.15, 0.3, 5),
    "snr": Range(0.35, 10, 200, logarithmic=True),
    "defects": Range(0.07, 0.03, 2, logarithmic=True),
    "dead_columns": Range(0.07, 1, 6),
    "bits": Range(0.05, 4, 8),
    "jpeg": Range(0.25, 40, 97),
    "jpeg2000": Range(0.04, 0.5, 3, logarithmic=True),
}
"""Any camera from healthy to poor, in the order in which light and signal meet its parts."""


@dataclass(frozen=True)
class Mixture:
    """A random camera for each image. Its `repr` says all that it does.

    Attributes:
        ranges: by name of a kind in `KINDS`, in the order in which they are applied.
        share: part of the images that are disturbed at all, 0..1.

    Raises:
        ValueError: a kind belongs to a group that is held out of every training.
    """

    ranges: Mapping[str, Range] = field(default_factory=lambda: BROAD)
    share: float = 0.5

    def __post_init__(self) -> None:
        for name in self.ranges:
            if KINDS[name].group in HELD_OUT:
                raise ValueError(f"{name} belongs to {KINDS[name].group}, which no training draws from")

    def __call__(self, images: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Disturb `share` of the images: uint8 [N, H, W, C], int [N] → uint8 [N, H, W, C]."""
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
        """The same for tensors, in a `tf.data` pipeline: uint8 [N, H, W, C], int64 [N] → uint8 [N, H, W, C]."""
        # Evaluation and reports use this module too, and do without the seconds of this import.
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
    """Seeds of one view of every image, int64 [images]; other views and other values of `seed` have others."""
    return (seed % 2**14 << 48) + (view << 32) + np.arange(images, dtype=np.int64)
