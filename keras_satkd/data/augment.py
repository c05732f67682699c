"""Augmentation: images in 0..255 → images in 0..255 that show the same class.

A policy is a pure function of images and five random numbers in [0, 1) for each (`DRAWS`), by name in
`registry.AUGMENTATIONS`. So a view can be made again later, and teachers can run once over a fixed set of views.
`randaugment` alone is KerasCV's pipeline, whose random numbers cannot be repeated; with it, the teachers run inside the
training step.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_satkd.registry import AUGMENTATIONS

DRAWS = 5
"""Number of random numbers per view: orientation, vertical and horizontal shift, brightness, saturation."""

Policy = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Images, uint8 [B, S, S, N], and numbers, float32 [B, DRAWS] in [0, 1) → uint8 [B, S, S, N]."""

RANDAUGMENT = "randaugment"
"""The only policy whose views cannot be made again from their random numbers."""

REPEATABLE = tuple(name for name in AUGMENTATIONS.names() if name != RANDAUGMENT)
"""The other policies of this package."""

LARGEST_SHIFT = 6 / 64
LARGEST_LIGHT_CHANGE = 0.1
LARGEST_SATURATION_CHANGE = 0.1


def view_draws(images: int, views: int, seed: int) -> np.ndarray:
    """Random numbers for a fixed set of views: float32 [images, views, DRAWS] in [0, 1), reproducible from the seed.

    A larger set of views begins with the views of a smaller one.
    """
    seeds = map(view_seed(seed), range(views))
    return np.stack([np.random.default_rng(each).random((images, DRAWS), np.float32) for each in seeds], axis=1)


def view_seed(seed: int) -> Callable[[int], list[int]]:
    """A function of the number of a view that gives the seed of its `view_draws`."""
    return lambda view: [seed, view]


def dihedral_draws(images: int) -> np.ndarray:
    """The numbers of the eight dihedral views in the order of `turn`: float32 [images, 8, DRAWS]."""
    draws = np.zeros((images, 8, DRAWS), np.float32)
    draws[..., 0] = (np.arange(8) + 0.5) / 8
    return draws


def augment(images: tf.Tensor, draws: tf.Tensor, policy: str) -> tf.Tensor:
    """One view of each image.

    Args:
        images: uint8 [B, S, S, N].
        draws: float32 [B, DRAWS] in [0, 1).
        policy: name or reference of a policy (`registry`), but not `RANDAUGMENT`.

    Returns:
        uint8 [B, S, S, N].

    Raises:
        UserError: the policy is unknown.
    """
    return maker(policy)(images, draws)


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]  # TensorFlow has no types
def maker(policy: str) -> Policy:
    """The function of a policy.

    Raises:
        UserError: the policy is unknown.
    """
    found: Policy = AUGMENTATIONS.load(policy)
    return found


def unchanged(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """The policy `none`: the images themselves."""
    return images


def dihedral(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """The policy `dihedral`: one of eight flips and quarter turns. The first number draws it."""
    return turn(images, tf.cast(draws[:, 0] * 8, tf.int32))


def satellite(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """The policy `satellite`: `dihedral`, then a shift and a change of brightness and saturation."""
    _, down, right, brightness, saturation = tf.unstack(draws, axis=1)
    images = dihedral(images, draws)
    largest = LARGEST_SHIFT * images.shape[1]
    images = shift(images, _centred(down, largest), _centred(right, largest))
    return relight(
        images, 1 + LARGEST_LIGHT_CHANGE * (2 * brightness - 1), 1 + LARGEST_SATURATION_CHANGE * (2 * saturation - 1)
    )


def turn(images: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """One of the eight flips and quarter turns of each square image: uint8 [B, S, S, 3], int32 [B] in 0..7.

    Seen from above, no orientation is special, so all eight are equally likely.
    """

    def chosen(bit: int, changed: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        # It copies whole images; `tf.where` would broadcast the condition to every pixel, which is three times slower.
        return tf.raw_ops.Select(condition=tf.bitwise.bitwise_and(orientation, bit) != 0, x=changed, y=kept)

    images = chosen(1, tf.reverse(images, [1]), images)
    images = chosen(2, tf.reverse(images, [2]), images)
    return chosen(4, tf.transpose(images, (0, 2, 1, 3)), images)


def shift(images: tf.Tensor, down: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Shift each image by whole pixels (int32 [B]); the borders are filled by reflection."""
    size = images.shape[1]

    def reflected(offset: tf.Tensor) -> tf.Tensor:
        positions = tf.abs(tf.range(size)[None, :] - offset[:, None])
        return tf.minimum(positions, 2 * (size - 1) - positions)

    images = tf.gather(images, reflected(down), axis=1, batch_dims=1)
    return tf.gather(images, reflected(right), axis=2, batch_dims=1)


def relight(images: tf.Tensor, brightness: tf.Tensor, saturation: tf.Tensor) -> tf.Tensor:
    """Scale each image's brightness and saturation (float32 [B]; 1: no change)."""
    pixels = tf.cast(images, tf.float32) * brightness[:, None, None, None]
    grey = tf.reduce_mean(pixels, axis=-1, keepdims=True)
    pixels = grey + (pixels - grey) * saturation[:, None, None, None]
    return tf.saturate_cast(tf.round(pixels), tf.uint8)


def sensor_noise(
    images: tf.Tensor, largest: float, seed: tf.Tensor | int, part: tf.Tensor | int = 0, parts: int = 1
) -> tf.Tensor:
    """Add independent normal noise to every pixel and channel, with a random strength per image.

    Args:
        images: uint8 [B, H, W, 3], or float in 0..255.
        largest: standard deviations are uniform between 0 and this fraction of full range.
        seed: int64; the same seed gives the same noise.
        part: which of the equal parts of a batch the images are, from 0.
        parts: number of parts; together they get the noise of the whole batch.

    Returns:
        float32 [B, H, W, 3] in 0..255.
    """
    images = tf.cast(images, tf.float32)
    key = tf.stack([tf.cast(seed, tf.int64), 0])
    rows, shape = tf.shape(images)[0], tf.shape(images)[1:]
    deviations = tf.random.stateless_uniform((rows * parts, 1, 1, 1), key, maxval=255 * largest)
    noise = tf.random.stateless_normal(tf.concat([[rows * parts], shape], axis=0), tf.random.fold_in(key, 1))
    deviations, noise = (values[rows * part : rows * (part + 1)] for values in (deviations, noise))
    return tf.clip_by_value(images + deviations * noise, 0.0, 255.0)


def randaugment(seed: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """KerasCV's flips and RandAugment: uint8 [B, S, S, 3] → uint8 [B, S, S, 3]."""
    import keras_cv

    # RandAugment ignores its seed and uses TensorFlow's global generator.
    tf.random.set_global_generator(tf.random.Generator.from_seed(seed))
    flip = keras_cv.layers.RandomFlip("horizontal_and_vertical", seed=seed)
    policy = keras_cv.layers.RandAugment((0, 255), augmentations_per_image=2, magnitude=0.3, geometric=True, seed=seed)

    def pipeline(images: tf.Tensor) -> tf.Tensor:
        return tf.saturate_cast(tf.round(policy(flip(images))), tf.uint8)

    return pipeline


def _centred(draw: tf.Tensor, largest: float) -> tf.Tensor:
    return tf.cast(tf.round((2 * draw - 1) * largest), tf.int32)
