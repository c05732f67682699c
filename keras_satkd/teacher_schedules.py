"""Schedules of teachers: which teachers the student hears in which epoch. By name in `registry.TEACHER_SCHEDULES`.

A schedule is a pure function of the number of epochs E and of the teachers' T accuracies on the validation images. It
gives factors [E, T], at least 0, of the teachers' weights; 0: not heard.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from firmware_export.common.errors import UserError
from keras_satkd.registry import TEACHER_SCHEDULES
from keras_satkd.weighting import Weights

TeacherSchedule = Callable[[int, Sequence[float]], np.ndarray]
"""Number of epochs, and accuracies of the teachers in [0, 1] → factors [epochs, teachers]."""


def together(epochs: int, accuracies: Sequence[float]) -> np.ndarray:
    """The schedule `all`: every teacher in every epoch."""
    return np.ones((epochs, len(accuracies)), np.float32)


def weak_to_strong(epochs: int, accuracies: Sequence[float]) -> np.ndarray:
    """One teacher after the other, the least accurate first, each for an equal part of the epochs.

    Multi-teacher progressive distillation (Cao et al., ICML 2023, arXiv 2308.09105): the gap between a student and its
    next teacher stays small. With fewer epochs than teachers, the strongest are heard.
    """
    heard_alone: np.ndarray = _position(epochs, accuracies)[:, np.newaxis] == _ranks(accuracies)
    return heard_alone.astype(np.float32)


def growing(epochs: int, accuracies: Sequence[float]) -> np.ndarray:
    """The least accurate teacher alone at first; the others join one by one, after equal parts of the epochs."""
    return (_position(epochs, accuracies)[:, np.newaxis] >= _ranks(accuracies)).astype(np.float32)


def _ranks(accuracies: Sequence[float]) -> np.ndarray:
    """Number of weaker teachers, int [T]; of equally accurate ones, the first counts as weaker."""
    return np.argsort(np.argsort(accuracies, kind="stable"), kind="stable")


def _position(epochs: int, accuracies: Sequence[float]) -> np.ndarray:
    """Rank of the teacher to whose part of the epochs each epoch belongs, int [E]; T − 1 in the last."""
    teachers = len(accuracies)
    return teachers - 1 - (np.arange(epochs)[::-1] * teachers) // max(1, epochs)


def factors(schedule: str | TeacherSchedule, epochs: int, accuracies: Sequence[float]) -> np.ndarray | None:
    """The factors of all epochs, float32 [E, T]; None if all teachers are heard alike in all epochs.

    Args:
        schedule: a name or reference (`registry`), or a function.
        epochs: E.
        accuracies: T of them.

    Raises:
        UserError: the schedule is unknown, or its factors have another shape, or one is negative or not finite.
    """
    function: Any = TEACHER_SCHEDULES.load(schedule) if isinstance(schedule, str) else schedule
    if not callable(function):
        raise UserError(f"teacher schedule {schedule!r} is a {type(function).__name__}: give a function")
    found = np.asarray(function(epochs, tuple(accuracies)), np.float32)
    if found.shape != (epochs, len(accuracies)) or not np.all((found >= 0) & np.isfinite(found)):
        raise UserError(
            f"teacher schedule {schedule!r} gives shape {found.shape}, values {found.min(initial=0):g} to "
            f"{found.max(initial=0):g}: give {(epochs, len(accuracies))}, (epochs, teachers), of numbers from 0"
        )
    return None if np.all(found == 1) else found


def heard(weights: Weights, factors: tf.Tensor) -> Weights:
    """Weights of teachers of which not all are heard: `w'_t = f_t · w_t · Σ w / Σ f · w`, so that their sum stays.

    Images whose teachers are all silent learn from the ground truth alone: their weights and share are 0.

    Args:
        weights: of a rule.
        factors: `f`, float32 [T], at least 0.
    """
    chosen = factors * weights.teachers
    sums = (tf.reduce_sum(each, axis=1, keepdims=True) for each in (weights.teachers, chosen))
    scaled = chosen * tf.math.divide_no_nan(*sums)
    is_taught = tf.reduce_any(chosen > 0, axis=1)
    return Weights(scaled, tf.where(is_taught, weights.share, 0.0), weights.case)
