"""Teacher logits, computed once for a fixed set of augmented views.

Teachers cost more than the student they teach, and a view that was made from known draws can be made again: so each
teacher sees every view once, and training reads what it said ("fast distillation"). One file a teacher and view is
written as soon as it is done, so that a killed run goes on where it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from firmware_export.files import write_with
from keras_satkd import augment
from keras_satkd.data import ImageSet
from keras_satkd.teachers import Teacher


@dataclass(frozen=True)
class ViewLogits:
    """What all teachers say of all views.

    Attributes:
        draws: float32 [N, V, DRAWS], the numbers that make each view (`augment.augment`).
        logits: float16 [N, V, T, C].
    """

    draws: np.ndarray
    logits: np.ndarray


def compute(
    teachers: Sequence[Teacher],
    images: ImageSet,
    *,
    policy: str,
    views: int,
    seed: int,
    folder: Path,
    batch_size: int = 128,
) -> ViewLogits:
    """Run the teachers over `views` views of every image; files already in `folder` are read, not made again.

    Args:
        teachers: T of them.
        images: N of them.
        policy: one of `augment.REPEATABLE`.
        views: V.
        seed: draws the views.
        folder: holds one array [N, C] a teacher and view; it belongs to one run, whose settings do not change.
        batch_size: images in a call of a teacher.
    """
    draws = augment.view_draws(len(images), views, seed)
    logits = np.stack([_teacher_views(teacher, images, draws, policy, folder, batch_size) for teacher in teachers])
    return ViewLogits(draws, np.ascontiguousarray(logits.transpose(2, 1, 0, 3)))


def _teacher_views(
    teacher: Teacher, images: ImageSet, draws: np.ndarray, policy: str, folder: Path, batch_size: int
) -> np.ndarray:
    """float16 [V, N, C] of one teacher."""

    @tf.function(reduce_retracing=True)
    def logits_of(batch: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        return teacher.logits(augment.augment(batch, numbers, policy))

    def view_logits(view: int) -> np.ndarray:
        path = folder / f"{teacher.name}-{view}.npy"
        if path.exists():
            return np.load(path)
        starts = tqdm(
            range(0, len(images), batch_size), desc=f"{path.stem} of {draws.shape[1]}", unit="batch", disable=None
        )
        parts = [
            logits_of(images.images[start : start + batch_size], draws[start : start + batch_size, view]).numpy()
            for start in starts
        ]
        # Half precision keeps 11 bits of a logit, far more than a temperature of 5 lets through, at half the memory.
        logits = np.concatenate(parts).astype(np.float16)
        write_with(path, lambda temporary: np.save(temporary, logits))
        return logits

    return np.stack([view_logits(view) for view in range(draws.shape[1])])
