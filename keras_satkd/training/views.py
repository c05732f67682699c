"""A fixed set of views of images, and what a teacher says of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_satkd.camera.training import Mixture, view_seeds
from keras_satkd.config import MixingConfig
from keras_satkd.data import augment, mix
from keras_satkd.data.view_numbers import ByView, Drawn, OfView, values_at
from keras_satkd.models.teacher import Teacher


@dataclass(frozen=True)
class Views:
    """A fixed set of views of images, as teachers see them.

    Attributes:
        images: uint8 [N, S, S, C], or `on_disk.Rows`.
        policy: one of `augment.REPEATABLE`.
        draws: float32 [N, V, DRAWS], the random numbers of each view (`augment.augment`).
        camera_seeds: int64 [N, V], of the camera's disturbance of each view.
        mixing_draws: float32 [N, V, mix.DRAWS], the random numbers of each view's mix with another image
            (`mix.mix_images`); None if the views are not mixed.
        camera: disturbs the views.
        mixing: mixes them.
    """

    images: np.ndarray
    policy: str
    draws: np.ndarray | ByView
    camera_seeds: np.ndarray | ByView
    mixing_draws: np.ndarray | ByView | None
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
        are_numbers_held: bool = True,
    ) -> "Views":
        """The views of a seed.

        Args:
            images: N.
            policy: one of `augment.REPEATABLE`.
            views: V.
            seed: another seed gives other views.
            camera: disturbs the views.
            mixing: mixes the views.
            is_dihedral: the eight dihedral views in order, whatever the seed.
            are_numbers_held: all random numbers are in memory; otherwise they are made when they are asked for.
        """
        number = len(images)
        if are_numbers_held:
            draws = augment.dihedral_draws(number) if is_dihedral else augment.view_draws(number, views, seed)
            camera_seeds = np.stack([view_seeds(number, view, seed) for view in range(views)], axis=1)
            mixing_draws = None if mixing is None else mix.view_draws(number, views, seed)
            return cls(images, policy, draws, camera_seeds, mixing_draws, camera, mixing)
        drawn = _dihedral(number) if is_dihedral else Drawn(number, views, augment.DRAWS, augment.view_seed(seed))
        first = np.array([view_seeds(1, view, seed)[0] for view in range(views)])
        seeds = OfView((number, views), np.int64, lambda images, views: first[views] + images)
        mixes = None if mixing is None else Drawn(number, views, mix.DRAWS, mix.view_seed(seed))
        return cls(images, policy, drawn, seeds, mixes, camera, mixing)

    def of(self, teacher: Teacher, batch_size: int) -> Callable[[slice, int], Iterator[np.ndarray]]:
        """A function of images and the number of a view that gives the teacher's logits, float16 [B, C], by batches."""
        logits_of = _logits_of(teacher, self.policy, self.camera, self.mixing)

        def run(rows: slice, view: int) -> Iterator[np.ndarray]:
            starts = range(rows.start, rows.stop, batch_size)
            for at in tqdm(starts, desc=f"{teacher.name} view {view + 1}", unit="batch", disable=None):
                batch = self._batch(np.arange(at, min(at + batch_size, rows.stop)), view)
                # Half precision keeps 11 bits of a logit, far more than the loss needs at the usual temperatures.
                yield logits_of(*batch).numpy().astype(np.float16)

        return run

    def _batch(self, images: np.ndarray, view: int) -> tuple[np.ndarray, ...]:
        """Arguments of `_logits_of`: the images of a batch and their random numbers, and those of their partners."""
        views = np.full(len(images), view)
        numbers = [values_at(values, images, views) for values in (self.draws, self.camera_seeds)]
        own = self.images[images[0] : images[-1] + 1], *numbers
        if self.mixing_draws is None:
            return own
        mixing_numbers = values_at(self.mixing_draws, images, views)
        partners = mix.partners(images, mixing_numbers, len(self.images)).numpy()
        return *own, self.images[partners], values_at(self.draws, partners, views), mixing_numbers


def _dihedral(images: int) -> OfView:
    table = augment.dihedral_draws(1)[0]
    return OfView((images, *table.shape), table.dtype, lambda images, views: table[views])


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
