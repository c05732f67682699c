"""When the classifier should answer "unsure": the abstention threshold, chosen on validation images.

A satellite discards the images that it does not downlink, so the classifier should answer only when similar answers
were correct often enough. The threshold applies to the margin between the two highest outputs, in output codes, which
firmware compares without floating point.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

CONFIDENCE = 0.95
"""Confidence with which the error rate among the answers stays below the bound."""


@dataclass(frozen=True)
class Abstention:
    """When the classifier abstains, and how accurate its answers are.

    Attributes:
        threshold: the smallest margin of an answer, in output codes, 0 to 255; with 0 the classifier never abstains.
        reason: one sentence that explains the threshold.
        error_rate: the highest error rate allowed, in (0, 1); None without labelled images.
        images: number of labelled images.
        accuracy: on all labelled images, [0, 1]; None without labelled images.
        curve: None without labelled images.
    """

    threshold: int
    reason: str
    error_rate: float | None = None
    images: int = 0
    accuracy: float | None = None
    curve: "RiskCoverage | None" = None


NO_ABSTENTION = Abstention(
    0, "No labelled validation images were given, so kLeastMargin is 0: every image is answered."
)

NO_CLASSIFIER = Abstention(0, "The model is no classifier, so there are no files of one: read its outputs.")


@dataclass(frozen=True)
class RiskCoverage:
    """Fraction of images answered, and of wrong answers, at every threshold that makes a difference.

    Attributes:
        thresholds: int [M] in codes, or float [M] for float outputs, ascending: an image is answered if its two highest
            outputs differ by at least this much.
        coverage: float [M] in (0, 1], fraction of the images that are answered.
        risk: float [M] in [0, 1], fraction of the answers that are wrong.
        risk_bound: float [M] in [0, 1], upper bound of the error rate, with confidence `CONFIDENCE`.
    """

    thresholds: np.ndarray
    coverage: np.ndarray
    risk: np.ndarray
    risk_bound: np.ndarray


def top_margins(outputs: np.ndarray) -> np.ndarray:
    """Difference between the two highest outputs: int8 codes [N, C], C ≥ 2 → int32 [N] in 0..255.

    For float outputs the result has their type.
    """
    values = outputs.astype(np.int32) if np.issubdtype(outputs.dtype, np.integer) else outputs
    highest = np.partition(values, -2, axis=1)
    return highest[:, -1] - highest[:, -2]


def risk_coverage(outputs: np.ndarray, labels: np.ndarray) -> RiskCoverage:
    """The risk-coverage curve of El-Yaniv and Wiener (JMLR 11, 2010) over the threshold.

    The bound is the one-sided Clopper-Pearson bound: for `k` wrong answers out of `n`, the `CONFIDENCE` quantile of
    `Beta(k + 1, n − k)`.

    Args:
        outputs: int8 or float [N, C], C ≥ 2.
        labels: int [N].
    """
    margins = top_margins(outputs)
    wrong = outputs.argmax(axis=1) != labels
    found = np.unique(margins)
    order = np.argsort(margins, kind="stable")
    first = np.searchsorted(margins[order], found)
    answered = len(labels) - first
    errors = np.cumsum(wrong[order][::-1])[::-1][first]
    right = answered - errors
    bound = np.where(right > 0, betaincinv(errors + 1, np.maximum(right, 1), CONFIDENCE), 1.0)
    return RiskCoverage(found, answered / len(labels), errors / answered, bound)


def choose_threshold(curve: RiskCoverage, images: int, error_rate: float) -> int | None:
    """The smallest threshold whose error rate is at most `error_rate` with `CONFIDENCE`; None if there is none.

    Thresholds are tried from large to small until the first one fails, so that the confidence holds although several
    are tried (fixed-sequence testing, arXiv 2110.01052). The first threshold tried gives twice as many answers as would
    be needed if all were correct; this number does not depend on the labels.

    Args:
        curve: on the validation images.
        images: number of validation images.
        error_rate: in (0, 1).
    """
    without_error = math.log(1 - CONFIDENCE) / math.log(1 - error_rate)
    tried = np.flatnonzero(curve.coverage * images >= 2 * without_error)[::-1]
    failed = np.flatnonzero(curve.risk_bound[tried] > error_rate)
    passed = tried[: failed[0]] if len(failed) else tried
    return int(curve.thresholds[passed[-1]]) if len(passed) else None


def largest_difference(some: np.ndarray, others: np.ndarray) -> int:
    """Largest difference, in codes, between the margins of the same images in two int8 [N, …] arrays of outputs."""
    first, second = (top_margins(outputs.reshape(len(outputs), -1)) for outputs in (some, others))
    return int(np.abs(first - second).max())


def choose(outputs: np.ndarray, labels: np.ndarray, error_rate: float, kernel_difference: int) -> Abstention:
    """Choose the threshold for an error rate on validation images.

    Args:
        outputs: int8 [N, C], C ≥ 2, of TFLite's fast kernels (`interpreters.predict_int8`), because TFLM would take an
            hour.
        labels: int [N] in 0..C−1.
        error_rate: highest error rate allowed among the answers, in (0, 1).
        kernel_difference: largest difference between the margins of these kernels and of TFLM (`largest_difference`),
            in codes.
    """
    outputs = outputs.reshape(len(outputs), -1)
    curve = risk_coverage(outputs, labels)
    threshold = choose_threshold(curve, len(labels), error_rate)
    bound = f"an error rate of at most {error_rate:.3g} with {CONFIDENCE:.0%} confidence"
    kernels = f"TFLite's fast kernels (margins within {kernel_difference} codes of TFLM's)"
    found_on = f"on {len(labels)} validation images with {kernels}"
    accuracy = float((outputs.argmax(axis=1) == labels).mean())
    if threshold is None:
        reason = f"No margin gives {bound} {found_on}, so kLeastMargin is 0: every image is answered."
        return Abstention(0, reason, error_rate, len(labels), accuracy, curve)
    at = int(np.searchsorted(curve.thresholds, threshold))
    reason = (
        f"kLeastMargin {threshold} was chosen {found_on}, for {bound} among the answers: {curve.coverage[at]:.2%} of "
        f"the images were answered, and {curve.risk[at]:.2%} of these answers were wrong. Without abstention, "
        f"{1 - accuracy:.2%} would be wrong."
    )
    return Abstention(threshold, reason, error_rate, len(labels), accuracy, curve)
