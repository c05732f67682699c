"""Batches of labelled images beside weak and strong views of unlabelled ones, for `fixmatch.FixMatch`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from firmware_export.images.image_set import ImageSet
from keras_satkd.camera.training import Mixture
from keras_satkd.config import TeachersConfig
from keras_satkd.method.fixmatch import STRONG, WEAK, FixMatch
from keras_satkd.training.batches import PARALLEL_CALLS, batch_maker, choices, in_advance
from keras_satkd.training.method import Method


def method(
    labelled: ImageSet, unlabelled: ImageSet, config: TeachersConfig, seed: int, camera: Mixture | None = None
) -> Method:
    """Training with FixMatch.

    Args:
        labelled: training images.
        unlabelled: images whose labels are not used.
        config: augmentation, mixing, batch, and the settings of FixMatch.
        seed: of the order of the images and of their views.
        camera: disturbs images and both kinds of views.
    """
    settings = config.fixmatch
    return Method(
        partial(FixMatch, weight=settings.weight, confidence=settings.confidence),
        lambda epoch: batches(labelled, unlabelled, config, seed, camera, epoch),
    )


def batches(
    labelled: ImageSet,
    unlabelled: ImageSet,
    config: TeachersConfig,
    seed: int,
    camera: Mixture | None = None,
    epoch: int | tf.Variable = 0,
) -> tf.data.Dataset:
    """Batches of one epoch: `training.batches.training_batches` with `WEAK` and `STRONG` in the dictionary.

    An epoch passes once over the larger of both sets, and as often as that takes over the other. Labelled images are
    repeated until a batch is full: of B labelled and `ratio` · B unlabelled images.
    """
    settings, batch = config.fixmatch, config.batch_size
    steps = max(1, len(labelled) // batch, len(unlabelled) // (settings.ratio * batch))
    mixing = None if config.mixing.method == "none" else config.mixing
    of_labels = batch_maker(
        tf.constant(labelled.images),
        tf.constant(labelled.labels),
        config.augmentation,
        seed,
        camera=camera,
        mixing=mixing,
        classes=len(labelled.class_names),
    )
    pixels, nothing = tf.constant(unlabelled.images), tf.constant(unlabelled.labels)
    weak, strong = (
        batch_maker(pixels, nothing, policy, seed, camera=camera) for policy in (config.augmentation, settings.strong)
    )

    def views(chosen: tf.Tensor, seeds: tf.Tensor) -> dict[str, tf.Tensor]:
        # Two views of the same images: with the same numbers, one would follow the other.
        others = tf.random.fold_in(seeds, 1)
        return {WEAK: weak(chosen, seeds)[0]["image"], STRONG: strong(chosen, others)[0]["image"]}

    beside = partial(_repeated, steps=steps, epoch=epoch)
    found = tf.data.Dataset.zip(
        (
            beside(of_labels, len(labelled), batch, seed=seed),
            beside(views, len(unlabelled), settings.ratio * batch, seed=seed + 1),
        )
    )
    return in_advance(found.map(lambda given, seen: ({**given[0], **seen}, given[1])))


def _repeated(
    make: Callable[[tf.Tensor, tf.Tensor], Any],
    images: int,
    batch: int,
    *,
    steps: int,
    seed: int,
    epoch: int | tf.Variable,
) -> tf.data.Dataset:
    """Batches of images, repeated until an epoch has so many steps. How often images come differs by one at most."""

    def of_choice(chosen: tf.Tensor, seeds: tf.Tensor) -> object:
        return make(chosen % images, seeds)

    numbered = choices(steps * batch, batch, seed, epoch)
    return numbered.map(of_choice, num_parallel_calls=PARALLEL_CALLS, deterministic=True)
