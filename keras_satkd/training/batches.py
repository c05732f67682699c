"""An `ImageSet` as `tf.data` batches: shuffled, augmented, with teacher logits if they are precomputed.

Images stay uint8 in one tensor, or on disk if they are larger than `limits.HELD`, and so do the teachers' logits. Whole
batches are gathered and augmented at once, so the input takes only a small part of a training step (`make bench` and
`make bench-scale` measure it).
"""

import os
from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from firmware_export.common import on_disk
from firmware_export.common.on_disk import Rows
from firmware_export.images.image_set import ImageSet
from keras_satkd.camera.training import Mixture, view_seeds
from keras_satkd.config import MixingConfig
from keras_satkd.data import augment, mix
from keras_satkd.data.view_numbers import ByView, values_at
from keras_satkd.training.parts import OwnRows, Parts, whole
from keras_satkd.training.view_logits import ViewLogits

MakeBatch = Callable[..., tuple[dict[str, tf.Tensor], tf.Tensor]]
"""Indices and seeds of one of the `choices`, and the number of the part if the batch is divided → inputs, labels."""

STORED = ("draws", "camera_seeds", "mixing_draws")
"""Random numbers that `ViewLogits` may have for its views."""

PARALLEL_CALLS = os.cpu_count() or 1
"""Batches that are made at the same time."""

_READY_BATCHES = 2


def training_batches(
    images: ImageSet,
    *,
    batch_size: int,
    augmentation: str,
    seed: int,
    view_logits: ViewLogits | None = None,
    camera: Mixture | None = None,
    mixing: MixingConfig | None = None,
    keeps_clean: bool = False,
    epoch: int | tf.Variable = 0,
    parts: Parts | None = None,
) -> tf.data.Dataset:
    """Batches `({"image": uint8 [B, S, S, 3]}, int32 [B])` of one epoch.

    Order, views, mixes, and disturbances depend on `seed` and `epoch` alone, except under `randaugment`. If `epoch` is
    a variable, each iteration reads it.

    With `mixing`, images are mixed with others after augmentation, as scenes in front of the camera, and labels are
    float32 [B, C]. A camera then disturbs its share of the images.

    With `view_logits` the inputs contain `teacher_logits`, float32 [B, T, C]. If `view_logits` has draws, each image is
    replaced with one of those views, chosen at random every epoch, with the logits of that view. With `keeps_clean`,
    they contain `teacher_image`: the images without the camera's disturbance.

    With `parts`, these parts of each batch follow one after the other, with the same views as in the whole batch. They
    go on with the batches of the next epochs, without end: Keras does not begin anew with distributed batches.
    """
    rows = on_disk.rows_of(images.images)
    make = batch_maker(
        tf.constant(images.images) if rows is None else rows,
        tf.constant(images.labels),
        augmentation,
        seed,
        camera=camera,
        mixing=mixing,
        classes=len(images.class_names),
        keeps_clean=keeps_clean,
        parts=parts,
        **{
            name: tf.constant(values) if isinstance(values, np.ndarray) else values
            for name, values in known(view_logits).items()
        },
    )
    chosen = choices(len(images), batch_size, seed, epoch, is_endless=parts is not None)
    if parts is not None:
        chosen = chosen.flat_map(parts.each)
    return in_advance(chosen.map(make, num_parallel_calls=PARALLEL_CALLS, deterministic=True))


def in_advance(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The batches, made beside the training step that uses those before them.

    Not with `AUTOTUNE`: the end of an iterator can then wait for the next adjustment (TensorFlow 2.21,
    `RootDataset::Iterator`), and adjustments become as rare as one a minute. Every epoch has an iterator of its own.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(_READY_BATCHES).with_options(options)


def choices(
    images: int, batch_size: int, seed: int, epoch: int | tf.Variable, *, is_endless: bool = False
) -> tf.data.Dataset:
    """The images in each batch of an epoch, int64 [B], and the two seeds of their views, int64 [2].

    A smaller last batch is dropped unless it is the only one: its statistics would disturb the batch norms.

    Args:
        images: number of images.
        batch_size: B, or more than `images`.
        seed: another seed gives other batches in every epoch.
        epoch: number of the epoch from 0; a variable is read by each iteration.
        is_endless: go on with the next epochs.
    """
    batch = min(images, batch_size)
    steps = images // batch

    def of_epoch(later: tf.Tensor) -> tf.data.Dataset:
        key = tf.stack([tf.constant(seed, tf.int64), later if is_endless else tf.cast(epoch, tf.int64)])
        order = tf.random.experimental.stateless_shuffle(tf.range(images, dtype=tf.int64), key)
        seeds = tf.random.stateless_uniform((steps, 2), tf.random.fold_in(key, 1), None, None, tf.int64)
        return tf.data.Dataset.from_tensor_slices((tf.reshape(order[: steps * batch], (steps, batch)), seeds))

    if is_endless:
        # The variable counts on while batches are made in advance, so it is read once.
        first = tf.data.Dataset.range(1).map(lambda _: tf.cast(epoch, tf.int64))
        return first.flat_map(tf.data.Dataset.counter).flat_map(of_epoch)
    return tf.data.Dataset.range(1).flat_map(of_epoch).apply(tf.data.experimental.assert_cardinality(steps))


def known(view_logits: ViewLogits | None) -> dict[str, np.ndarray | ByView]:
    """Arguments of `batch_maker` for the teacher logits."""
    if view_logits is None:
        return {}
    held = {"teacher_logits": view_logits.logits, **{name: getattr(view_logits, name) for name in STORED}}
    return {name: values for name, values in held.items() if values is not None}


def batch_maker(
    pixels: tf.Tensor | Rows,
    labels: tf.Tensor,
    augmentation: str,
    seed: int = 0,
    *,
    teacher_logits: tf.Tensor | ByView | None = None,
    draws: tf.Tensor | ByView | None = None,
    camera_seeds: tf.Tensor | ByView | None = None,
    mixing_draws: tf.Tensor | ByView | None = None,
    camera: Mixture | None = None,
    mixing: MixingConfig | None = None,
    classes: int = 0,
    keeps_clean: bool = False,
    parts: Parts | None = None,
) -> MakeBatch:
    """A function that makes a batch from one of the `choices`. Values by view are tensors, or what stands for them.

    Args:
        pixels: uint8 [N, S, S, C].
        labels: int32 [N].
        augmentation: the augmentation policy.
        seed: seed of `randaugment`, which does not use the seeds in `choices`.
        teacher_logits: float16 [N, V, T, C]; V is 1 without `draws`.
        draws: float32 [N, V, augment.DRAWS], of stored views; fresh views when not given.
        camera_seeds: int64 [N, V], of the camera's disturbance of each stored view; fresh ones when not given.
        mixing_draws: float32 [N, V, mix.DRAWS], of the mix of each stored view; fresh mixes when not given.
        camera: disturbs the views.
        mixing: mixes the views before the camera sees them; labels are then float32 [B, C].
        classes: C, for `mixing`.
        keeps_clean: the batch also has the views before the camera, as `teacher_image`.
        parts: the batch is divided; random numbers are drawn for the whole.
    """
    pipeline = augment.randaugment(seed) if augmentation == augment.RANDAUGMENT else None
    view_of = augment.maker(augmentation)

    def numbers_of(stored: tf.Tensor | ByView | None, width: int, chosen: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        if stored is None:
            return tf.random.stateless_uniform((tf.shape(chosen)[0], width), seeds)
        return _by_view(stored, chosen)

    def views_of(chosen: tf.Tensor, seeds: tf.Tensor, own: OwnRows) -> tf.Tensor:
        batch = _gathered(pixels, own(chosen)[:, 0])
        if pipeline is not None:
            return pipeline(batch)
        return view_of(batch, own(numbers_of(draws, augment.DRAWS, chosen, seeds)))

    def mixed(
        batch: tf.Tensor, chosen: tf.Tensor, seeds: tf.Tensor, own: OwnRows, mixing: MixingConfig
    ) -> tuple[tf.Tensor, tf.Tensor]:
        indices, view = tf.unstack(chosen, axis=1)
        # With `seeds` themselves, the mix would depend on the augmentation.
        numbers = numbers_of(mixing_draws, mix.DRAWS, chosen, tf.random.fold_in(seeds, 1))
        partners = mix.partners(indices, numbers, pixels.shape[0])
        others = views_of(tf.stack([partners, view], axis=1), tf.random.fold_in(seeds, 2), own)
        batch, parts = mix.mix_images(batch, others, own(numbers), mixing)
        return batch, mix.mix_labels(tf.gather(labels, own(indices)), tf.gather(labels, own(partners)), parts, classes)

    def disturbed(batch: tf.Tensor, chosen: tf.Tensor, seeds: tf.Tensor, own: OwnRows) -> tf.Tensor:
        if camera is None:
            return batch
        if camera_seeds is not None:
            return camera.in_graph(batch, own(_by_view(camera_seeds, chosen)))
        drawn = tf.random.stateless_uniform(tf.shape(chosen)[:1], seeds, 0, tf.int64.max, tf.int64)
        return camera.in_graph(batch, own(drawn))

    def make(
        indices: tf.Tensor, seeds: tf.Tensor, part: tf.Tensor | None = None
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        own = whole if parts is None else partial(parts.rows, part=part)
        view = tf.zeros_like(indices)
        if draws is not None:
            view = tf.random.stateless_uniform(tf.shape(indices), seeds, 0, draws.shape[1], tf.int64)
        chosen = tf.stack([indices, view], axis=1)
        batch, targets = views_of(chosen, seeds, own), tf.gather(labels, own(indices))
        if mixing is not None:
            batch, targets = mixed(batch, chosen, seeds, own, mixing)
        inputs = {"image": disturbed(batch, chosen, seeds, own)}
        if keeps_clean:
            inputs["teacher_image"] = batch
        if teacher_logits is not None:
            inputs["teacher_logits"] = tf.cast(_by_view(teacher_logits, own(chosen)), tf.float32)
        return inputs, targets

    return make


def _gathered(pixels: tf.Tensor | Rows, indices: tf.Tensor) -> tf.Tensor:
    """The images with these numbers, int64 [B] → uint8 [B, S, S, C]."""
    if not isinstance(pixels, Rows):
        return tf.gather(pixels, indices)
    batch = tf.numpy_function(pixels.__getitem__, [indices], pixels.dtype)
    return tf.ensure_shape(batch, (*indices.shape, *pixels.shape[1:]))


def _by_view(values: tf.Tensor | ByView, chosen: tf.Tensor) -> tf.Tensor:
    """Values [N, V, …] of images and their views, int64 [B, 2] → [B, …]."""
    if tf.is_tensor(values):
        return tf.gather_nd(values, chosen)
    batch = tf.numpy_function(values.at, tf.unstack(chosen, axis=1), values.dtype)
    return tf.ensure_shape(batch, (*chosen.shape[:1], *values.shape[2:]))


def evaluation_batches(
    images: ImageSet,
    batch_size: int,
    view_logits: ViewLogits | None = None,
    camera: Mixture | None = None,
    camera_seed: int = 0,
    parts: Parts | None = None,
) -> tf.data.Dataset:
    """All images in order, without augmentation; with the teacher logits of the first view if given.

    A camera always disturbs them in the same way: with the seeds of the first view, or with those of `camera_seed`.
    With `parts`, these parts of each batch follow one after the other.
    """
    seeds = None
    if camera is not None:
        stored = None if view_logits is None else view_logits.camera_seeds
        first = np.arange(len(images)), np.zeros(len(images), int)
        seeds = view_seeds(len(images), 0, camera_seed) if stored is None else values_at(stored, *first)
    said = {} if view_logits is None else {"teacher_logits": view_logits.of_first_view().astype(np.float32)}
    if on_disk.rows_of(images.images) is not None:
        batches = _evaluated_from_disk(images, batch_size, said, camera, seeds)
    else:
        pixels = images.images if camera is None or seeds is None else camera(images.images, seeds)
        inputs = {"image": tf.constant(pixels), **said}
        batches = tf.data.Dataset.from_tensor_slices((inputs, images.labels)).batch(batch_size)
    if parts is not None:
        batches = batches.flat_map(parts.each).map(parts.of_batch)
    return in_advance(batches)


def _evaluated_from_disk(
    images: ImageSet, batch_size: int, said: dict[str, np.ndarray], camera: Mixture | None, seeds: np.ndarray | None
) -> tf.data.Dataset:
    rows = on_disk.rows_of(images.images)
    numbers = {"number": np.arange(len(images)), **({} if seeds is None else {"seed": seeds})}

    def make(
        batch: dict[str, tf.Tensor], said: dict[str, tf.Tensor], labels: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        pixels = _gathered(rows, batch["number"])
        return {"image": pixels if camera is None else camera.in_graph(pixels, batch["seed"]), **said}, labels

    slices = tf.data.Dataset.from_tensor_slices((numbers, said, images.labels)).batch(batch_size)
    return slices.map(make, num_parallel_calls=PARALLEL_CALLS, deterministic=True)
