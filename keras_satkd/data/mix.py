"""MixUp (arXiv 1710.09412) and CutMix (arXiv 1905.04899): a training image and its label, mixed with another image's.

A mix is a pure function of both images and five random numbers in [0, 1) (`DRAWS`), as an augmented view is. So it can
be made again later, and teachers can run once over a fixed set of mixed views.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from scipy.special import betaincinv

from keras_satkd.config import MixingConfig

DRAWS = 5
"""Number of random numbers per mix: whether and how, the partner, λ, row and column of the box's centre."""

QUANTILES = 1024
"""λ takes this many values, each equally likely."""


def view_draws(images: int, views: int, seed: int) -> np.ndarray:
    """Random numbers of the mixes of a fixed set of views: float32 [images, views, DRAWS] in [0, 1).

    They are reproducible from the seed. A larger set of views begins with the views of a smaller one.
    """
    seeds = map(view_seed(seed), range(views))
    return np.stack([np.random.default_rng(each).random((images, DRAWS), np.float32) for each in seeds], axis=1)


def view_seed(seed: int) -> Callable[[int], list[int]]:
    """A function of the number of a view that gives the seed of its `view_draws`."""
    # The last number keeps them apart from those of `augment.view_draws`.
    return lambda view: [seed, view, 1]


def partners(indices: tf.Tensor, draws: tf.Tensor, images: int) -> tf.Tensor:
    """The image that each image is mixed with; any other image is equally likely.

    Args:
        indices: int64 [B] in 0..images-1.
        draws: float32 [B, DRAWS] in [0, 1).
        images: number of images, at least 1. A single image is its own partner.

    Returns:
        int64 [B].
    """
    # In float32, the product could reach images - 1.
    steps = 1 + tf.cast(tf.cast(draws[:, 1], tf.float64) * (images - 1), tf.int64)
    return (indices + steps) % images


def mix_images(
    images: tf.Tensor, others: tf.Tensor, draws: tf.Tensor, config: MixingConfig
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mix `config.share` of the images with their partners; the others stay as they are.

    Args:
        images: uint8 [B, S, S, C].
        others: uint8 [B, S, S, C], their partners.
        draws: float32 [B, DRAWS] in [0, 1).
        config: the method is not `none`.

    Returns:
        The mixed images, uint8 [B, S, S, C], and each image's own part in its mix, float32 [B] in 0..1: λ of MixUp,
        or the visible area of CutMix.
    """
    size = images.shape[1]
    is_blended, is_pasted = _methods(draws[:, 0], config)
    own = _own_parts(draws[:, 2], config.alpha)
    parts = tf.where(is_blended, own, 1.0)
    box = _box(tf.where(is_pasted, own, 1.0), draws[:, 3:], size)
    mixed = _blend(images, others, tf.where(_inside(box, size), 0.0, parts[:, None, None]))
    area = tf.reduce_prod(box[:, 1] - box[:, 0], axis=1)
    return mixed, parts * (1 - tf.cast(area, tf.float32) / size**2)


def mix_labels(labels: tf.Tensor, others: tf.Tensor, parts: tf.Tensor, classes: int) -> tf.Tensor:
    """Labels of mixed images: int [B] each, and float32 [B] from `mix_images` → float32 [B, classes] of sum 1."""
    own, other = tf.one_hot(labels, classes), tf.one_hot(others, classes)
    return parts[:, None] * own + (1 - parts[:, None]) * other


def _methods(drawn: tf.Tensor, config: MixingConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether each image is mixed by MixUp, and by CutMix: bool [B] each, never both."""
    blended_share = config.share * {"mixup": 1.0, "cutmix": 0.0, "both": 0.5}[config.method]
    is_blended = drawn < blended_share
    return is_blended, (drawn < config.share) & ~is_blended


def _own_parts(drawn: tf.Tensor, alpha: float) -> tf.Tensor:
    """λ of Beta(α, α), float32 [B], from uniform numbers [B] in [0, 1)."""
    # TensorFlow has no inverse of the incomplete beta function.
    quantiles = betaincinv(alpha, alpha, (np.arange(QUANTILES) + 0.5) / QUANTILES)
    return tf.gather(tf.constant(quantiles, tf.float32), tf.cast(drawn * QUANTILES, tf.int32))


def _blend(images: tf.Tensor, others: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
    """Parts `own` [B, S, S] in 0..1 of the images' light and the rest of the others', rounded to uint8."""
    others = tf.cast(others, tf.float32)
    return tf.cast(tf.round(others + own[..., None] * (tf.cast(images, tf.float32) - others)), tf.uint8)


def _box(own: tf.Tensor, centre: tf.Tensor, size: int) -> tf.Tensor:
    """The box that shows the other image: first and last + 1 of rows and of columns, int32 [B, 2, 2].

    Its area is 1 - `own` of the image, less what lies beyond the border.

    Args:
        own: float32 [B], λ.
        centre: float32 [B, 2] in [0, 1), uniform over the image.
        size: height and width of the image.
    """
    middle = tf.cast(centre * size, tf.int32)
    half = tf.cast(0.5 * tf.sqrt(1 - own) * size, tf.int32)[:, None]
    return tf.stack([tf.maximum(middle - half, 0), tf.minimum(middle + half, size)], axis=1)


def _inside(box: tf.Tensor, size: int) -> tf.Tensor:
    """Which pixels lie in the boxes of `_box`: bool [B, size, size]."""
    positions = tf.range(size)[None, :, None]
    inside = (positions >= box[:, None, 0]) & (positions < box[:, None, 1])
    return inside[:, :, None, 0] & inside[:, None, :, 1]
