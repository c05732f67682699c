"""Teacher logits, computed once for a fixed set of augmented views.

Teachers need more time than the student, and a view can be made again from its random numbers. So each teacher
processes every view once, and training reads its logits ("fast distillation"). There is one file per teacher and view,
written as soon as it is computed, so a killed run resumes there. Its name contains a digest of all of its inputs, so
runs share it.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from firmware_export.common import digests
from keras_satkd.camera.training import Mixture, view_seeds
from keras_satkd.config import MixingConfig
from keras_satkd.data import augment, mix
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.models.teacher import AnyTeacher, Teacher
from keras_satkd.training.logits_store import LogitsStore, Recipe
from keras_satkd.training.stored_teachers import have_views, logits_of_views

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ViewLogits:
    """Logits of all teachers for all views.

    Attributes:
        draws: float32 [N, V, DRAWS], the random numbers of each view (`augment.augment`); None if the logits apply to
            every view of an image.
        logits: float16 [N, V, T, C].
        camera_seeds: int64 [N, V], of the camera's disturbance of each view; None without a camera.
        mixing_draws: float32 [N, V, mix.DRAWS], the random numbers of each view's mix with another image
            (`mix.mix_images`); None if the views are not mixed.
    """

    draws: np.ndarray | None
    logits: np.ndarray
    camera_seeds: np.ndarray | None = None
    mixing_draws: np.ndarray | None = None

    def averaged(self) -> "ViewLogits":
        """The mean over the views for each image and teacher, [N, 1, T, C], for use with every view.

        Raises:
            ValueError: the views are mixed with other images, whose logits would be in the mean.
        """
        if self.mixing_draws is not None:
            raise ValueError("views are mixed with other images: their logits cannot be averaged for each image")
        return ViewLogits(None, self.logits.mean(axis=1, keepdims=True, dtype=np.float32).astype(np.float16))


def compute_view_logits(
    teachers: Sequence[AnyTeacher],
    images: np.ndarray,
    *,
    policy: str,
    views: int,
    seed: int,
    folder: Path,
    camera: Mixture | None = None,
    mixing: MixingConfig | None = None,
    files: Sequence[str] = (),
    store: Path | None = None,
    batch_size: int = 128,
) -> ViewLogits:
    """Run the teachers on `views` views of every image. Existing files in `folder` are read instead.

    With `StoredLogits` of the eight dihedral views, and `views` and `policy` that ask for them, these are the views.

    Args:
        teachers: T of them.
        images: uint8 [N, S, S, 3].
        policy: any but `augment.RANDAUGMENT`.
        views: V.
        seed: seed of the views.
        folder: contains one array [N, C] per teacher and view, named by a digest of all of its inputs.
        camera: disturbs the views.
        mixing: mixes each view with the view of the same number of another image; None: the views are not mixed.
        files: names of the images, for `StoredLogits`.
        store: folder of a `LogitsStore` with the logits; None: they are computed, or read from `folder`.
        batch_size: images per call of a teacher.

    Raises:
        UserError: the store lacks logits.
    """
    is_dihedral = have_views(teachers, policy, views)
    asked = _Views.draw(images, policy, views, seed, camera, mixing, is_dihedral=is_dihedral)
    pixels = pixels_sha256(images)
    order = f"{seed} in order" if is_dihedral else seed
    recipe = " ".join(str(part) for part in (policy, order, camera, mixing) if part is not None)
    logits = np.empty((len(images), views, len(teachers), teachers[0].classes), np.float16)
    for position, teacher in enumerate(teachers):
        if isinstance(teacher, StoredLogits):
            logits[:, :, position] = logits_of_views(teacher, files, policy, is_dihedral)
            continue
        if store is not None:
            wanted = store_recipe(teacher, len(images), pixels, policy, views, seed, camera, mixing)
            logits[:, :, position] = LogitsStore.open(store, wanted).read(views)
            continue
        logits_of = asked.of(teacher, batch_size)
        digest = teacher.digest()
        for view in range(views):
            name = hashlib.sha256(f"{digest} {pixels} {recipe} {view}".encode()).hexdigest()[:32]
            path = folder / f"{teacher.name}-{name}.npy"
            kept = _kept(path, logits[:, view, position].shape)
            if kept is None:
                kept = logits_of(slice(0, len(images)), view)
                digests.write_with(path, partial(np.save, arr=kept))
            logits[:, view, position] = kept
    return ViewLogits(asked.draws, logits, None if camera is None else asked.camera_seeds, asked.mixing_draws)


def store_recipe(
    teacher: Teacher,
    images: int,
    pixels: str,
    policy: str,
    views: int,
    seed: int,
    camera: Mixture | None = None,
    mixing: MixingConfig | None = None,
    shards: int = 1,
) -> Recipe:
    """What the logits of a teacher for N `images` in a store depend on; `pixels` is their `pixels_sha256`.

    The other arguments are as of `compute_view_logits`.
    """
    disturbance = " ".join(str(part) for part in (camera, mixing) if part is not None)
    return Recipe(
        *(teacher.name, teacher.digest(), images, pixels, teacher.classes),
        *(policy, seed, disturbance, views, shards),
    )


def ask_shard(
    teacher: Teacher,
    images: np.ndarray,
    *,
    policy: str,
    views: int,
    seed: int,
    store: Path,
    shard: int,
    shards: int,
    camera: Mixture | None = None,
    mixing: MixingConfig | None = None,
    batch_size: int = 128,
) -> tuple[Path, bool]:
    """Compute the logits of one shard of a store; other arguments as of `compute_view_logits`.

    Args:
        teacher: runs on the shard's images.
        images: uint8 [N, S, S, C], of all shards.
        policy: one of `augment.REPEATABLE`.
        views: V.
        seed: seed of the views.
        store: folder of the store.
        shard: counted from 1.
        shards: number of shards.
        camera: disturbs the views.
        mixing: mixes the views with those of any image.
        batch_size: images per call of the teacher.

    Returns:
        The shard's file, and whether it was computed: it may have been there.

    Raises:
        UserError: the store has these logits in another layout, or cannot be written.
    """
    pixels = pixels_sha256(images)
    recipe = store_recipe(teacher, len(images), pixels, policy, views, seed, camera, mixing, shards)
    held = LogitsStore.create(store, recipe)
    asked = _Views.draw(images, policy, views, seed, camera, mixing)
    return held.path(shard), held.compute(shard, asked.of(teacher, batch_size))


def pixels_sha256(images: np.ndarray) -> str:
    """SHA-256 of the pixels, 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()


def _kept(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The logits in a file of the cache, float16 of this shape; None if they are not there, or damaged."""
    try:
        if digests.is_whole(path):
            kept: np.ndarray = np.load(path, allow_pickle=False)
            if kept.shape == shape and kept.dtype == np.float16:
                return kept
        reason = "its SHA-256 or its shape differs"
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())
    logger.warning("teacher logits in %s are damaged (%s): computing them again", path, reason)
    return None


@dataclass(frozen=True)
class _Views:
    """A fixed set of views of images, as teachers see them.

    Attributes:
        images: uint8 [N, S, S, C].
        policy: one of `augment.REPEATABLE`.
        draws: as in `ViewLogits`.
        camera_seeds: int64 [N, V].
        mixing_draws: as in `ViewLogits`.
        camera: disturbs the views.
        mixing: mixes them.
    """

    images: np.ndarray
    policy: str
    draws: np.ndarray
    camera_seeds: np.ndarray
    mixing_draws: np.ndarray | None
    camera: Mixture | None
    mixing: MixingConfig | None

    @classmethod
    def draw(
        cls,
        images: np.ndarray,
        policy: str,
        views: int,
        seed: int,
        camera: Mixture | None,
        mixing: MixingConfig | None,
        *,
        is_dihedral: bool = False,
    ) -> "_Views":
        """The views of a seed; with `is_dihedral`, the eight dihedral ones in order."""
        number = len(images)
        draws = augment.dihedral_draws(number) if is_dihedral else augment.view_draws(number, views, seed)
        camera_seeds = np.stack([view_seeds(number, view, seed) for view in range(views)], axis=1)
        mixing_draws = None if mixing is None else mix.view_draws(number, views, seed)
        return cls(images, policy, draws, camera_seeds, mixing_draws, camera, mixing)

    def of(self, teacher: Teacher, batch_size: int) -> Callable[[slice, int], np.ndarray]:
        """A function of images and the number of a view that returns the teacher's logits, float16 [n, C]."""
        logits_of = _logits_of(teacher, self.policy, self.camera, self.mixing)

        def run(rows: slice, view: int) -> np.ndarray:
            starts = range(rows.start, rows.stop, batch_size)
            bar = tqdm(starts, desc=f"{teacher.name} view {view + 1}", unit="batch", disable=None)
            parts = [logits_of(*self._batch(slice(at, min(at + batch_size, rows.stop)), view)) for at in bar]
            # Half precision keeps 11 bits of a logit, far more than the loss needs at the usual temperatures.
            return np.concatenate(parts).astype(np.float16)

        return run

    def _batch(self, batch: slice, view: int) -> tuple[np.ndarray, ...]:
        """Arguments of `_logits_of`: the images of a batch and their random numbers, and those of their partners."""
        own = self.images[batch], self.draws[batch, view], self.camera_seeds[batch, view]
        if self.mixing_draws is None:
            return own
        indices, numbers = np.arange(len(self.images))[batch], self.mixing_draws[batch, view]
        partners = mix.partners(indices, numbers, len(self.images)).numpy()
        return *own, self.images[partners], self.draws[partners, view], numbers


def _logits_of(
    teacher: Teacher, policy: str, camera: Mixture | None, mixing: MixingConfig | None
) -> tf.types.experimental.PolymorphicFunction:
    view_of = augment.maker(policy)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def logits_of(batch: tf.Tensor, numbers: tf.Tensor, seeds: tf.Tensor, *partners: tf.Tensor) -> tf.Tensor:
        views = view_of(batch, numbers)
        if mixing is not None:
            others, other_numbers, mixing_numbers = partners
            others = view_of(others, other_numbers)
            views, _ = mix.mix_images(views, others, mixing_numbers, mixing)
        return teacher.logits(views if camera is None else camera.in_graph(views, seeds))

    return logits_of
