"""The drift monitor, chosen on validation images: are the images of a window like them?

The classes seen change along an orbit, so an image's statistics are compared with those of its predicted class. The
sums of these residuals over a window of images are compared with bounds.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from firmware_export.common import defaults
from firmware_export.common.errors import UserError
from firmware_export.drift import statistics
from firmware_export.drift.reference import LIMIT, STEPS, Reference, measure

MOST_BANDS = 16
"""Largest number of bands: the part reports the statistics out of range as the bits of a word."""

LEAST_OF_CLASS = 32
"""Number of validation images that a class needs: predicted ones for a mean of its own, labelled ones for windows."""

_REPEATS, _WINDOWS = 100, 100  # of the bootstrap; windows of each kind in each repeat
_SEED = 18


@dataclass(frozen=True, eq=False)
class Monitor:
    """What the part needs to recognize drift.

    Attributes:
        names: K names of the statistics.
        window: number of images after which the monitor decides.
        reference: of the validation images.
        lower: int16 [K], smallest sum of residuals of a window in range.
        upper: int16 [K], largest sum of residuals of a window in range.
    """

    names: tuple[str, ...]
    window: int
    reference: Reference
    lower: np.ndarray
    upper: np.ndarray

    def out_of_range(self, residuals: np.ndarray) -> np.ndarray:
        """Which statistics of which windows are out of range.

        Args:
            residuals: int16 [M, `window`, K], from `reference.residuals`.

        Returns:
            bool [M, K]. The part raises an alarm for a window if any is true.
        """
        sums = residuals.sum(axis=1, dtype=np.int32)
        outside: np.ndarray = (sums < self.lower) | (sums > self.upper)
        return outside


@dataclass(frozen=True)
class Drift:
    """The monitor, or why there is none.

    Attributes:
        reason: explains it.
        monitor: None if there is none.
        false_alarm_rate: highest rate of false alarms per window, in (0, 1); None without a monitor.
        images: number of validation images; 0 without a monitor.
    """

    reason: str
    monitor: Monitor | None = None
    false_alarm_rate: float | None = None
    images: int = 0


NO_MONITOR = Drift("No labelled validation images were given, so there is no drift monitor.")


def check(window: int, rate: float) -> None:
    """Refuse values that no monitor can have.

    Raises:
        UserError: the window or the rate is out of its range.
    """
    if not 1 <= window <= defaults.LARGEST_DRIFT_WINDOW:
        raise UserError(
            f"drift window {window}, a number of images from 1 to {defaults.LARGEST_DRIFT_WINDOW} expected: give "
            f"{defaults.DRIFT_WINDOW}, for example"
        )
    if not defaults.LOWEST_FALSE_ALARM_RATE <= rate < 1:
        raise UserError(
            f"false alarm rate {rate:g}, a number from {defaults.LOWEST_FALSE_ALARM_RATE} to 1 expected: give "
            f"{defaults.FALSE_ALARM_RATE}, for example"
        )


def choose(images: np.ndarray, outputs: np.ndarray, labels: np.ndarray, window: int, rate: float) -> Drift:
    """Choose reference and bounds on validation images.

    Args:
        images: uint8 or int8 [N, …], as firmware feeds them, of any shape.
        outputs: int8 [N, …] of the model for them, at least two per image.
        labels: int [N]. The part sees windows of one class, whatever the model predicts for them.
        window: number of images after which the monitor decides, as `check` allows.
        rate: highest rate of false alarms per window, over all statistics together, as `check` allows.

    Returns:
        A monitor, or the reason why these images allow none.
    """
    if (reason := _obstacle(images)) is not None:
        return Drift(f"There is no drift monitor: {reason}.")
    found, outputs = statistics.of(images, outputs), outputs.reshape(len(outputs), -1)
    classes = outputs.argmax(axis=1)
    has_own = np.bincount(classes, minlength=outputs.shape[1]) >= LEAST_OF_CLASS
    sums = _drawn(found, classes, labels, has_own, window)
    lower, upper = _bounds(sums, window, rate)
    most = LIMIT * STEPS * window
    if (lower <= -most).all() and (upper >= most).all():
        reason = f"no window of {window} could raise an alarm at a false alarm rate of {rate:g}: give a larger window"
        return Drift(f"There is no drift monitor: {reason}.")
    names = tuple(statistics.meanings(images.shape[3]))
    chosen = Monitor(names, window, measure(found, classes, has_own), lower, upper)
    reason = (
        f"The drift monitor compares every {window} images with {len(images)} validation images. Its bounds were "
        f"chosen for a rate of false alarms of at most {rate:.3g} in windows of such images, mixed"
        f"{_of_one_class(len(sums) - 1, len(np.unique(labels)))}. {has_own.sum()} of {len(has_own)} classes were "
        f"predicted often enough ({LEAST_OF_CLASS} images) for a reference of their own."
    )
    return Drift(reason, chosen, rate, len(images))


def _obstacle(images: np.ndarray) -> str | None:
    if images.ndim != 4 or min(images.shape[1:3]) < 2:
        return "the model's input is not an image of 2 × 2 or more pixels"
    if images.shape[3] > MOST_BANDS:
        return f"images have {images.shape[3]} bands, at most {MOST_BANDS} are supported"
    if images[0].size > statistics.LARGEST_IMAGE:
        return f"an image has {images[0].size} values, at most {statistics.LARGEST_IMAGE} are supported"
    if len(images) < defaults.LEAST_IMAGES:
        return f"{len(images)} validation images were given, at least {defaults.LEAST_IMAGES} are needed"
    return None


def _of_one_class(drawn: int, classes: int) -> str:
    if drawn == classes:
        return " or all of one class"
    if not drawn:
        return f" (no class has the {LEAST_OF_CLASS} images that windows of one class need)"
    return f" or all of one class, for the {drawn} of {classes} classes with {LEAST_OF_CLASS} images"


def _drawn(found: np.ndarray, classes: np.ndarray, labels: np.ndarray, has_own: np.ndarray, window: int) -> np.ndarray:
    """Sums of residuals of drawn windows: int16 [kinds of windows, `_REPEATS` · `_WINDOWS`, K].

    A window is mixed or all of one class. Every repeat has the reference of a bootstrap sample, so the sums vary as
    they will on the part, whose images are others than those of the reference.
    """
    random = np.random.default_rng(_SEED)
    members = [np.flatnonzero(labels == each) for each in np.unique(labels)]
    kinds = [np.arange(len(found)), *(part for part in members if len(part) >= LEAST_OF_CLASS)]
    sums = np.empty((len(kinds), _REPEATS * _WINDOWS, found.shape[1]), np.int16)
    for repeat in range(_REPEATS):
        sample = random.integers(len(found), size=len(found))
        residuals = measure(found[sample], classes[sample], has_own).residuals(found, classes)
        for at, part in enumerate(kinds):
            windows = residuals[random.choice(part, (_WINDOWS, window))]
            sums[at, repeat * _WINDOWS : (repeat + 1) * _WINDOWS] = windows.sum(axis=1)
    return sums


def _bounds(sums: np.ndarray, window: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The tightest bounds with which no kind of windows has more false alarms than `rate`: int16 [K] each.

    All statistics leave out the same number of drawn windows at either end. Bounds are never tighter than those of a
    normal distribution: images whose statistic is constant say nothing of how much it may vary.
    """
    ordered = np.sort(sums, axis=1)
    least = math.ceil(STEPS * math.sqrt(window) * -ndtri(rate / (2 * sums.shape[2])))

    def leaving_out(count: int) -> tuple[np.ndarray, np.ndarray]:
        lower, upper = ordered[:, count].min(axis=0), ordered[:, -1 - count].max(axis=0)
        return np.minimum(lower, -least), np.maximum(upper, least)

    def false_alarms(count: int) -> float:
        lower, upper = leaving_out(count)
        return float(((sums < lower) | (sums > upper)).any(axis=2).mean(axis=1).max())

    fits, fails = 0, ordered.shape[1] // 2
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if false_alarms(middle) <= rate:
            fits = middle
        else:
            fails = middle
    return leaving_out(fits)
