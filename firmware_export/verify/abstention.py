"""When a part should answer "unsure": the abstention threshold, chosen on validation images.

A satellite discards what it does not downlink, so the classifier abstains unless answers like this one were correct
often enough. The threshold applies to the margin between the two highest outputs, in output codes, which firmware
compares without floating point.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

CONFIDENCE = 0.95
"""With which the error rate of the answers that are given stays below the stated one."""


@dataclass(frozen=True)
class Abstention:
    """When the classifier abstains, and what is known of the answers it gives.

    Attributes:
        threshold: the least margin of an answer, in output codes, 0 to 255; with 0 the classifier never abstains.
        reason: one sentence, where the threshold comes from.
        error_rate: in (0, 1), what was asked for; None where no labelled images were given.
        images: how many labelled images there were.
        accuracy: of all answers, [0, 1].
        curve: None where no labelled images were given.
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


@dataclass(frozen=True)
class RiskCoverage:
    """How often answers are given, and wrong, at every threshold that makes a difference.

    Attributes:
        thresholds: int [M], ascending: an answer is given where the top two outputs differ by at least so many codes.
        coverage: float [M] in (0, 1], part of the images that are answered.
        risk: float [M] in [0, 1], part of the answers that are wrong.
        risk_bound: float [M] in [0, 1], what the error rate stays below with `CONFIDENCE`.
    """

    thresholds: np.ndarray
    coverage: np.ndarray
    risk: np.ndarray
    risk_bound: np.ndarray


def top_margins(outputs: np.ndarray) -> np.ndarray:
    """By how many codes the highest output leads the second: int8 [N, C], C ≥ 2 → int32 [N] in 0..255."""
    highest = np.partition(outputs.astype(np.int32), -2, axis=1)
    return highest[:, -1] - highest[:, -2]


def risk_coverage(outputs: np.ndarray, labels: np.ndarray) -> RiskCoverage:
    """The curve of El-Yaniv and Wiener (JMLR 11, 2010) over the threshold.

    The bound is Clopper and Pearson's, one-sided: of `n` answers `k` wrong, the `CONFIDENCE` quantile of
    `Beta(k + 1, n − k)`.

    Args:
        outputs: int8 [N, C].
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
    bound = np.where(right > 0, beta.ppf(CONFIDENCE, errors + 1, np.maximum(right, 1)), 1.0)
    return RiskCoverage(found, answered / len(labels), errors / answered, bound)


def choose_threshold(curve: RiskCoverage, images: int, error_rate: float) -> int | None:
    """The smallest threshold whose error rate is known to be at most `error_rate`; None where none is.

    Thresholds are tried from a large one down and the search ends with the first that fails, so that trying many does
    not spoil the confidence in the one that is chosen (fixed-sequence testing, arXiv 2110.01052). It begins where twice
    as many answers are given as would have to be right without exception; that depends on no label.

    Args:
        curve: on validation images.
        images: how many there were.
        error_rate: in (0, 1).
    """
    without_error = math.log(1 - CONFIDENCE) / math.log(1 - error_rate)
    tried = np.flatnonzero(curve.coverage * images >= 2 * without_error)[::-1]
    failed = np.flatnonzero(curve.risk_bound[tried] > error_rate)
    passed = tried[: failed[0]] if len(failed) else tried
    return int(curve.thresholds[passed[-1]]) if len(passed) else None


def largest_difference(some: np.ndarray, others: np.ndarray) -> int:
    """By how many codes the margins of the same images differ at most between two int8 [N, …] arrays of outputs."""
    first, second = (top_margins(outputs.reshape(len(outputs), -1)) for outputs in (some, others))
    return int(np.abs(first - second).max())


def choose(outputs: np.ndarray, labels: np.ndarray, error_rate: float, kernel_difference: int) -> Abstention:
    """The threshold for an error rate, found on validation images, and the sentence that says so.

    Args:
        outputs: int8 [N, C], C ≥ 2, of TFLite's fast kernels (`interpreters.predict_int8`): TFLM's would take an hour.
        labels: int [N] in 0..C−1.
        error_rate: in (0, 1), of the answers that are given.
        kernel_difference: how far the margins of these kernels were from TFLM's (`largest_difference`), in codes.
    """
    outputs = outputs.reshape(len(outputs), -1)
    curve = risk_coverage(outputs, labels)
    threshold = choose_threshold(curve, len(labels), error_rate)
    bound = f"an error rate of at most {error_rate:.3g} with {CONFIDENCE:.0%} confidence"
    kernels = f"TFLite's fast kernels (margins within {kernel_difference} codes of TFLM's)"
    found_on = f"on {len(labels)} validation images, by {kernels}"
    accuracy = float((outputs.argmax(axis=1) == labels).mean())
    if threshold is None:
        reason = f"No margin is known to give {bound} {found_on}, so kLeastMargin is 0: every image is answered."
        return Abstention(0, reason, error_rate, len(labels), accuracy, curve)
    at = int(np.searchsorted(curve.thresholds, threshold))
    reason = (
        f"kLeastMargin {threshold} was chosen {found_on}, for {bound} among the answers: {curve.coverage[at]:.2%} of "
        f"the images were answered, {curve.risk[at]:.2%} of the answers wrong; of all {len(labels)}, "
        f"{1 - accuracy:.2%}."
    )
    return Abstention(threshold, reason, error_rate, len(labels), accuracy, curve)
