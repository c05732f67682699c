"""Teacher logits, computed once for a fixed set of augmented views.

Teachers need more time than the student, and a view can be made again from its random numbers. So each teacher
processes every view once, and training reads its logits ("fast distillation"). There is one file per teacher and view,
written as soon as it is computed, so a killed run resumes there. Its name contains a digest of all of its inputs, so
runs share it.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from firmware_export.common import digests, limits, on_disk
from keras_satkd.camera.training import Mixture
from keras_satkd.config import MixingConfig
from keras_satkd.data import augment
from keras_satkd.data.view_numbers import ByView, OfView, values_at
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.models.teacher import AnyTeacher, Teacher
from keras_satkd.training.logits_store import OPEN_FILES, LogitsStore, Recipe
from keras_satkd.training.stored_teachers import have_views, logits_of_views
from keras_satkd.training.views import Views

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ViewLogits:
    """Logits of all teachers for all views. What does not fit in memory is read or computed when it is asked for.

    Attributes:
        draws: as in `Views`; None if the logits apply to every view of an image.
        logits: float16 [N, V, T, C].
        camera_seeds: as in `Views`; None without a camera.
        mixing_draws: as in `Views`.
    """

    draws: np.ndarray | ByView | None
    logits: np.ndarray | ByView
    camera_seeds: np.ndarray | ByView | None = None
    mixing_draws: np.ndarray | ByView | None = None

    def of_first_view(self) -> np.ndarray:
        """The logits of the first view of all images, float16 [N, T, C]."""
        numbers = np.arange(self.logits.shape[0])
        return values_at(self.logits, numbers, np.zeros_like(numbers))

    def averaged(self) -> "ViewLogits":
        """The mean over the views for each image and teacher, [N, 1, T, C], for use with every view.

        Raises:
            ValueError: the views are mixed with other images, whose logits would be in the mean.
        """
        if self.mixing_draws is not None:
            raise ValueError("views are mixed with other images: their logits cannot be averaged for each image")
        images, views, teachers, classes = self.logits.shape
        found = np.empty((images, 1, teachers, classes), np.float16)
        rows = max(1, on_disk.PIECE // (4 * views * teachers * classes))
        for start in range(0, images, rows):
            chosen = np.arange(start, min(start + rows, images))
            every = [values_at(self.logits, chosen, np.full(len(chosen), view)) for view in range(views)]
            found[chosen, 0] = np.mean(np.stack(every, axis=1), axis=1, dtype=np.float32)
        return ViewLogits(None, found)


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
    shape = len(images), views, len(teachers), teachers[0].classes
    # With one view, they take no more than other values of each image.
    is_held = views == 1 or bytes_held(shape) <= limits.limit(limits.HELD)
    settings = {"is_dihedral": is_dihedral, "are_numbers_held": is_held}
    asked = Views.draw(images, policy, views, seed, camera, mixing, **settings)
    pixels = pixels_sha256(images)
    order = f"{seed} in order" if is_dihedral else seed
    recipe = " ".join(str(part) for part in (pixels, policy, order, camera, mixing) if part is not None)

    def of(teacher: AnyTeacher) -> np.ndarray | ByView:
        if isinstance(teacher, StoredLogits):
            return logits_of_views(teacher, files, policy, is_dihedral)
        if store is not None:
            wanted = store_recipe(teacher, len(images), pixels, policy, views, seed, camera, mixing)
            held = LogitsStore.open(store, wanted)
            return held.read(views) if is_held else held.by_view(views)
        paths = [folder / _file_of(teacher, recipe, view) for view in range(views)]
        run = asked.of(teacher, batch_size)
        everything = slice(0, len(images))
        return _of_files(paths, (len(images), shape[-1]), lambda view: run(everything, view), is_held=is_held)

    if is_held:
        logits: np.ndarray | ByView = np.empty(shape, np.float16)
        for position, teacher in enumerate(teachers):
            logits[:, :, position] = of(teacher)  # type: ignore[index]  # an array, as it is held
    else:
        logits = together(shape, [of(teacher) for teacher in teachers])
    return ViewLogits(asked.draws, logits, None if camera is None else asked.camera_seeds, asked.mixing_draws)


def bytes_held(shape: tuple[int, ...]) -> int:
    """Size of logits [N, V, T, C], and of the random numbers of their views, in memory."""
    images, views, teachers, classes = shape
    return images * views * (2 * teachers * classes + 4 * augment.DRAWS)


def together(shape: tuple[int, ...], found: Sequence[np.ndarray | ByView]) -> ByView:
    """Logits [N, V, T, C] of which each teacher's are read when they are asked for.

    Args:
        shape: N, V, T and C.
        found: of each teacher, [N, V, C], or [N, 1, C] for every view.
    """

    def at(images: np.ndarray, views: np.ndarray) -> np.ndarray:
        each = [values_at(of, images, np.minimum(views, of.shape[1] - 1)) for of in found]
        return np.stack(each, axis=1).astype(np.float16)

    return OfView(shape, np.float16, at)


def _file_of(teacher: Teacher, recipe: str, view: int) -> str:
    name = hashlib.sha256(f"{teacher.digest()} {recipe} {view}".encode()).hexdigest()[:32]
    return f"{teacher.name}-{name}.npy"


def _of_files(
    paths: Sequence[Path], shape: tuple[int, int], parts_of: Callable[[int], Iterable[np.ndarray]], *, is_held: bool
) -> np.ndarray | ByView:
    """The logits in the files of all views, [N, V, C] in memory or not. Files that are missing are written first.

    Args:
        paths: of V views; float16 [N, C] each.
        shape: N and C.
        parts_of: number of a view → its logits, float16 [B, C], by batches.
        is_held: in memory.
    """
    images, classes = shape
    found = np.empty((images, len(paths), classes), np.float16) if is_held else None
    for view, path in enumerate(paths):
        if not _is_kept(path, shape):
            digests.write_with(path, partial(_write, parts=parts_of(view), classes=classes))
        if found is not None:
            found[:, view] = np.load(path, allow_pickle=False)
    if found is not None:
        return found
    opened = lru_cache(OPEN_FILES)(on_disk.Rows.open)

    def at(images: np.ndarray, views: np.ndarray) -> np.ndarray:
        logits = np.empty((len(images), classes), np.float16)
        for view in np.unique(views).tolist():
            logits[views == view] = opened(paths[view])[images[views == view]]
        return logits

    return OfView((images, len(paths), classes), np.float16, at)


def _write(path: Path, parts: Iterable[np.ndarray], classes: int) -> None:
    with on_disk.Writer(path, (classes,), np.float16) as writer:
        for part in parts:
            writer.extend(part)


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
    are_held = bytes_held((len(images), views, 1, teacher.classes)) <= limits.limit(limits.HELD)
    run = Views.draw(images, policy, views, seed, camera, mixing, are_numbers_held=are_held).of(teacher, batch_size)
    return held.path(shard), held.compute(shard, lambda rows, view: np.concatenate(list(run(rows, view))))


def pixels_sha256(images: np.ndarray) -> str:
    """SHA-256 of the pixels, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for piece in on_disk.pieces(images):
        digest.update(np.ascontiguousarray(piece).data)
    return digest.hexdigest()


def _is_kept(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether a file of the cache has logits, float16 of this shape, as they were written."""
    try:
        if digests.is_whole(path):
            kept = np.load(path, mmap_mode="r", allow_pickle=False)
            if kept.shape == shape and kept.dtype == np.float16:
                return True
        reason = "its SHA-256 or its shape differs"
    except FileNotFoundError:
        return False
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())
    logger.warning("teacher logits in %s are damaged (%s): computing them again", path, reason)
    return False
