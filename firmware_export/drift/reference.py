"""Statistics of the validation images, and how far an image differs from them, in integers as in the generated C."""

from dataclasses import dataclass

import numpy as np

STEPS = 16
"""Residuals are in steps of a sixteenth of a standard deviation."""

LIMIT = 4
"""Largest residual of an image, in standard deviations. Larger ones count as this: one odd image is no drift."""

_INT16_MAX = 32767


@dataclass(frozen=True, eq=False)
class Reference:
    """Mean and standard deviation of each statistic among the images of each predicted class.

    Attributes:
        divisors: int32 [K], powers of two: statistics are divided by them, so that the means fit in int16.
        means: int16 [C, K].
        deviations: int16 [C, K], at least 1.
    """

    divisors: np.ndarray
    means: np.ndarray
    deviations: np.ndarray

    def residuals(self, statistics: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Differences from the mean of the predicted class, in steps of a sixteenth of its standard deviation.

        Args:
            statistics: int32 [N, K], from `statistics.of`.
            classes: int [N], predicted classes.

        Returns:
            int16 [N, K] in −64..64.
        """
        deviations = self.deviations[classes].astype(np.int64)
        difference = _divide(statistics, self.divisors) - self.means[classes]
        limited = np.clip(difference, -LIMIT * deviations, LIMIT * deviations)
        return _divide(limited * STEPS, deviations).astype(np.int16)


def measure(statistics: np.ndarray, classes: np.ndarray, has_own: np.ndarray) -> Reference:
    """The reference of some images.

    Args:
        statistics: int32 [N, K], N ≥ 1.
        classes: int [N], predicted classes.
        has_own: bool [C], whether a class has enough images for a mean of its own. The others get that of all images.
    """
    divisors = _divisors(statistics, classes, has_own)
    scaled = _divide(statistics, divisors)
    means, deviations = _moments(scaled, classes, has_own)
    return Reference(
        divisors,
        np.rint(means).astype(np.int16),
        np.maximum(np.rint(deviations), 1).astype(np.int16),
    )


def _divisors(statistics: np.ndarray, classes: np.ndarray, has_own: np.ndarray) -> np.ndarray:
    means, deviations = _moments(statistics, classes, has_own)
    largest = np.maximum(np.abs(means), deviations).max(axis=0)
    exponents = np.ceil(np.log2(np.maximum(largest / _INT16_MAX, 1)))
    powers: np.ndarray = 2 ** exponents.astype(np.int32)
    return powers


def _moments(values: np.ndarray, classes: np.ndarray, has_own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations, float64 [C, K] each."""
    means = np.tile(values.mean(axis=0), (len(has_own), 1))
    deviations = np.tile(values.std(axis=0), (len(has_own), 1))
    for each in np.flatnonzero(has_own):
        own = values[classes == each]
        means[each], deviations[each] = own.mean(axis=0), own.std(axis=0)
    return means, deviations


def _divide(dividend: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """Towards zero, as C divides: int64."""
    wide = dividend.astype(np.int64)
    quotient: np.ndarray = np.sign(wide) * (np.abs(wide) // divisor)
    return quotient
