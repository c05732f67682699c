"""The suite: all kinds of disturbance, with severities from a healthy camera to a poor one.

    disturbed = KINDS["snr"].apply(images, 20)

The random numbers of an image depend only on the kind and the image's position, not on the severity or other images.
Therefore, all models see the same disturbances, and a higher severity makes the same disturbance stronger.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from keras_satkd.camera import atmosphere, compression, detector, geometry, noise, optics, radiometry
from keras_satkd.camera.pixels import generators, in_parts

Disturb = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

GROUPS = ("noise", "optics", "detector", "radiometry", "compression", "geometry", "atmosphere")
"""Groups of kinds, by their cause."""

HELD_OUT = ("geometry", "atmosphere")
"""Groups that training never uses. They show how a model performs under disturbances that it was not trained on."""


@dataclass(frozen=True)
class Kind:
    """One kind of disturbance.

    Attributes:
        group: one of `GROUPS`.
        unit: label of the severities: the quantity and its unit.
        severities: the suite's severities, from a healthy camera to a poor one.
        disturb: images [N, H, W, C] in 0..255, severities [N] and seeds [N] → images [N, H, W, C], float or uint8.
        least_bands: images of fewer bands are not disturbed by it.
    """

    group: str
    unit: str
    severities: tuple[float, ...]
    disturb: Disturb
    least_bands: int = 1

    def apply(self, images: np.ndarray, severity: float, first_seed: int = 0) -> np.ndarray:
        """Disturb all images with the same severity.

        Args:
            images: uint8 [N, H, W, C].
            severity: one of `severities`, or another value in the same unit.
            first_seed: seed of the first image, not negative; each next image has the next integer.

        Returns:
            uint8 [N, H, W, C].
        """
        return in_parts(images, first_seed, lambda part, seeds: self.disturb(part, np.full(len(part), severity), seeds))


def _seedless(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Disturb:
    return lambda images, severities, _seeds: function(images, severities)


def _offset(images: np.ndarray, levels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    signs = [1 - 2 * generator.integers(2) for generator in generators(seeds, "offset")]
    return radiometry.offset(images, levels * np.array(signs, np.float32))


def _resample(images: np.ndarray, factors: np.ndarray, _seeds: np.ndarray) -> np.ndarray:
    resampled = np.empty(images.shape, np.float32)
    for factor in np.unique(factors):
        resampled[factors == factor] = geometry.resample(images[factors == factor], float(factor))
    return resampled


KINDS: dict[str, Kind] = {
    "snr": Kind("noise", "SNR at the image's mean", (140, 100, 50, 20, 10), noise.photon_and_read),
    "psf": Kind("optics", "PSF sigma, pixels", (0.4, 0.6, 0.8, 1.0, 1.4), _seedless(optics.point_spread)),
    "smear": Kind("optics", "smear, pixels", (2, 3, 4, 5, 7), optics.smear),
    "defects": Kind("detector", "defective pixels, %", (0.05, 0.1, 0.25, 0.5, 1, 2), detector.defective_pixels),
    "dead_columns": Kind("detector", "dead columns", (1, 2, 3, 5), detector.dead_columns),
    "prnu": Kind("detector", "column gain, %", (0.5, 1, 2, 3, 5), partial(detector.stripes, shared=True)),
    "gain": Kind("radiometry", "common gain", (0.8, 0.9, 1.1, 1.2), _seedless(radiometry.gain)),
    "band_gain": Kind("radiometry", "gain of each band, ±%", (2, 4, 6, 8, 10), radiometry.band_gain),
    "offset": Kind("radiometry", "offset, ± levels of 255", (2, 4, 8, 16), _offset),
    "bits": Kind("radiometry", "bits per pixel", (6, 5, 4), _seedless(radiometry.quantize)),
    "jpeg": Kind("compression", "JPEG quality", (95, 90, 80, 60, 40), _seedless(compression.jpeg)),
    "jpeg2000": Kind("compression", "JPEG 2000, bits per pixel", (3, 2, 1, 0.5), _seedless(compression.jpeg2000)),
    "registration": Kind(
        "geometry", "band shift, pixels", (0.25, 0.5, 1, 1.5, 2), geometry.misregistration, least_bands=2
    ),
    "resampling": Kind("geometry", "resampling, factor", (0.8, 0.9, 1.1, 1.25), _resample),
    "haze": Kind("atmosphere", "haze, transmission", (0.95, 0.9, 0.8, 0.7, 0.6), _seedless(atmosphere.haze)),
    "cloud": Kind("atmosphere", "thin cloud, opacity", (0.2, 0.4, 0.6), atmosphere.thin_cloud),
}
"""All kinds by name."""


def for_bands(kinds: Mapping[str, Kind], bands: int) -> dict[str, Kind]:
    """The kinds that disturb images of so many bands."""
    return {name: kind for name, kind in kinds.items() if kind.least_bands <= bands}
