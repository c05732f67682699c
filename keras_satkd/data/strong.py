"""The strong augmentation: views that hide more of an image than it would lose in flight, by name `strong`."""

import tensorflow as tf

from keras_satkd.data.augment import dihedral, relight, shift

LARGEST_SHIFT = 8 / 64
LARGEST_LIGHT_CHANGE = 0.5
LARGEST_SATURATION_CHANGE = 0.9
LARGEST_CONTRAST_CHANGE = 0.5
CUT = 0.5
"""Side of the grey square, as a fraction of the image's."""
GREY = 127

_FINER = 1024.0
"""A number's digits below 1/1024 do not show in what the number itself draws, so they draw something else. A float32 in
[0, 1) has 13 binary digits or more below it."""


def strong(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """A flip or quarter turn, then a shift, changes of light, saturation and contrast, and a grey square anywhere.

    RandAugment (arXiv 1909.13719) draws some of such changes with a random number of numbers. Here all apply, each of a
    random strength, so that five numbers make the view again. The square is Cutout (arXiv 1708.04552).

    Args:
        images: uint8 [B, S, S, N].
        draws: float32 [B, 5] in [0, 1).

    Returns:
        uint8 [B, S, S, N].
    """
    _, down, right, brightness, saturation = tf.unstack(2 * draws - 1, axis=1)
    size = images.shape[1]
    offsets = (tf.cast(tf.round(each * LARGEST_SHIFT * size), tf.int32) for each in (down, right))
    images = shift(dihedral(images, draws), *offsets)
    images = relight(images, 1 + LARGEST_LIGHT_CHANGE * brightness, 1 + LARGEST_SATURATION_CHANGE * saturation)
    top, left, contrast = tf.unstack(tf.math.floormod(_FINER * draws[:, 1:4], 1.0), axis=1)
    return cut(_contrasted(images, 1 + LARGEST_CONTRAST_CHANGE * (2 * contrast - 1)), top, left)


def _contrasted(images: tf.Tensor, contrast: tf.Tensor) -> tf.Tensor:
    """Scale each image's distance from its mean (float32 [B]; 1: no change)."""
    pixels = tf.cast(images, tf.float32)
    mean = tf.reduce_mean(pixels, axis=(1, 2, 3), keepdims=True)
    return tf.saturate_cast(tf.round(mean + (pixels - mean) * contrast[:, None, None, None]), tf.uint8)


def cut(images: tf.Tensor, top: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """Paste a grey square of `CUT` of the side into each image.

    Args:
        images: uint8 [B, S, S, N].
        top: float32 [B] in [0, 1), place of the square's middle. At the border, a part of the square is outside.
        left: likewise.
    """
    size = images.shape[1]
    half = CUT * size / 2
    places = tf.range(size, dtype=tf.float32)[None, :] + 0.5

    def is_within(middle: tf.Tensor) -> tf.Tensor:
        return tf.abs(places - size * middle[:, None]) < half

    is_cut = is_within(top)[:, :, None, None] & is_within(left)[:, None, :, None]
    return tf.where(is_cut, tf.constant(GREY, tf.uint8), images)
