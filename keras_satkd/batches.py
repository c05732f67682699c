"""An `ImageSet` as `tf.data` batches: shuffled, augmented, with teacher logits where they were precomputed.

Images stay uint8 in one tensor and whole batches are gathered and augmented at once, so that the input costs a small
part of a training step (`make bench` shows how small).
"""

import tensorflow as tf

from keras_satkd import augment
from keras_satkd.data import ImageSet
from keras_satkd.views import ViewLogits


def training_batches(
    images: ImageSet,
    *,
    batch_size: int,
    augmentation: str,
    seed: int,
    view_logits: ViewLogits | None = None,
) -> tf.data.Dataset:
    """Endlessly fresh epochs of `({"image": uint8 [B, S, S, 3]}, int32 [B])`.

    With `view_logits` the inputs hold `teacher_logits`, float32 [B, T, C]. If they have draws, each image appears as
    one of those views, drawn anew every epoch, with the logits of that very view. The last, smaller batch is left out
    where there are others: its statistics would disturb the batch norms.
    """
    pixels, labels = tf.constant(images.images), tf.constant(images.labels)
    order = tf.data.Dataset.range(len(images)).shuffle(len(images), seed=seed, reshuffle_each_iteration=True)
    order = order.batch(batch_size, drop_remainder=len(images) >= batch_size)
    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
    pipeline = augment.randaugment(seed) if augmentation == "randaugment" else None
    if view_logits is not None:
        teacher_logits = tf.constant(view_logits.logits)
        if view_logits.draws is not None:
            draws = tf.constant(view_logits.draws)

    def fresh(indices: tf.Tensor, seeds: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        batch = tf.gather(pixels, indices)
        if pipeline is not None:
            return {"image": pipeline(batch)}, tf.gather(labels, indices)
        numbers = tf.random.stateless_uniform((tf.size(indices), augment.DRAWS), seeds)
        inputs = {"image": augment.augment(batch, numbers, augmentation)}
        if view_logits is not None:
            inputs["teacher_logits"] = tf.cast(tf.gather(teacher_logits[:, 0], indices), tf.float32)
        return inputs, tf.gather(labels, indices)

    def precomputed(indices: tf.Tensor, seeds: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        view = tf.random.stateless_uniform(tf.shape(indices), seeds, 0, draws.shape[1], tf.int64)
        chosen = tf.stack([indices, view], axis=1)
        inputs = {
            "image": augment.augment(tf.gather(pixels, indices), tf.gather_nd(draws, chosen), augmentation),
            "teacher_logits": tf.cast(tf.gather_nd(teacher_logits, chosen), tf.float32),
        }
        return inputs, tf.gather(labels, indices)

    make = fresh if view_logits is None or view_logits.draws is None else precomputed
    chosen = tf.data.Dataset.zip((order, seeds))
    return chosen.map(make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(images: ImageSet, batch_size: int, view_logits: ViewLogits | None = None) -> tf.data.Dataset:
    """The images in their order, as they are, every one; with their first view's teacher logits where given."""
    inputs = {"image": tf.constant(images.images)}
    if view_logits is not None:
        inputs["teacher_logits"] = tf.constant(view_logits.logits[:, 0], tf.float32)
    return tf.data.Dataset.from_tensor_slices((inputs, images.labels)).batch(batch_size).prefetch(tf.data.AUTOTUNE)
