"""Calibration: how well a network's confidence matches its accuracy."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

TEMPERATURES = (0.05, 20.0)
"""The range in which a temperature is fitted."""


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that calibrates a network (Guo et al., arXiv 1706.04599).

    Minimizes `NLL(t) = −mean_b log softmax(z_b / t)[y_b]` over `t` in `TEMPERATURES`.

    Args:
        logits: float [N, C] on validation data.
        labels: int [N].
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)

    def negative_log_likelihood(log_temperature: float) -> float:
        log_probabilities = log_softmax(logits / math.exp(log_temperature), axis=1)
        return -float(log_probabilities[np.arange(len(labels)), labels].mean())

    best = minimize_scalar(negative_log_likelihood, bounds=np.log(TEMPERATURES), method="bounded")
    return float(math.exp(best.x))


@dataclass(frozen=True)
class Reliability:
    """Predictions grouped by their confidence, in bins of equal width.

    Attributes:
        images: int [bins].
        confidence: float [bins], the sum over a bin's images.
        correct: float [bins], the number of a bin's images that are correct.
    """

    images: np.ndarray
    confidence: np.ndarray
    correct: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error, in [0, 1]: the gaps of all bins, weighted by their images."""
        return float(np.abs(self.confidence - self.correct).sum() / self.images.sum())


def reliability(confidences: np.ndarray, correct: np.ndarray, bins: int = 15) -> Reliability:
    """Group predictions by confidence (Guo et al., arXiv 1706.04599).

    Args:
        confidences: float [N] in [0, 1].
        correct: bool [N].
        bins: number of bins.
    """
    bin_of = np.minimum((confidences * bins).astype(int), bins - 1)
    return Reliability(*(np.bincount(bin_of, weights, bins) for weights in (None, confidences, correct)))


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins, weighted by their images (same source).

    Args:
        probabilities: float [N, C]; each row sums to 1.
        labels: int [N].
        bins: number of bins.

    Returns:
        A value in [0, 1].
    """
    return reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, bins).error
