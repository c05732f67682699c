"""A teacher: a frozen network with its normalization, or logits that another program has computed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from firmware_export.common.errors import UserError
from firmware_export.tflite.input_range import of_channels
from keras_satkd.models.formats.foreign import ForeignNetwork
from keras_satkd.models.stored_logits import LEAST_PROBABILITY, StoredLogits


@dataclass(frozen=True)
class Teacher:
    """A frozen network with its input size and range.

    Attributes:
        name: unique among the teachers of a run.
        network: a Keras model of `tf_keras` or a `ForeignNetwork`, [B, input_size, input_size, N] → [B, C].
        input_size: height and width in pixels.
        input_range: one of `input_range.INPUT_RANGES`.
        gives_probabilities: whether its outputs are probabilities; `logits` then takes the logarithm.
        class_names: the classes in the order of the logits; None if its files do not name them.
        bands: positions of the images' channels that it gets, in its order; empty for all of them.
        band_names: names of the bands that it gets, in its order; `bands.select` finds their positions. Empty if its
            files and settings do not name them: RGB, if they are 3.
        order: positions of the network's outputs in the order of the logits; None for the same order.
        is_foreign: whether it is a model of other people, whose input range may be wrong.
        file_sha256: of the file of a Keras model of other people, whose layers are not ours; otherwise empty.
    """

    name: str
    network: Any
    input_size: int
    input_range: str
    gives_probabilities: bool = False
    class_names: tuple[str, ...] | None = None
    bands: tuple[int, ...] = ()
    band_names: tuple[str, ...] = ()
    order: tuple[int, ...] | None = None
    is_foreign: bool = False
    file_sha256: str = ""

    @property
    def channels(self) -> int:
        """N, the channels of its network."""
        return int(self.network.input_shape[-1])

    @property
    def classes(self) -> int:
        """Number of logits."""
        return int(self.network.output_shape[-1])

    def digest(self) -> str:
        """SHA-256 of everything that affects its logits, 64 hexadecimal digits."""
        digest = hashlib.sha256(f"{self.input_size} {self.input_range} {self.gives_probabilities}".encode())
        if self.bands or self.order is not None:
            digest.update(f"{self.bands} {self.order}".encode())
        digest.update(self.file_sha256.encode())
        if isinstance(self.network, ForeignNetwork):
            digest.update(self.network.sha256.encode())
            return digest.hexdigest()
        for weights in self.network.weights:
            digest.update(str(weights.shape).encode())
            digest.update(np.ascontiguousarray(weights.numpy()).data)
        return digest.hexdigest()

    def normalize(self, images: tf.Tensor) -> tf.Tensor:
        """Images [B, H, W, C] in 0..255 → float32 [B, input_size, input_size, N] in the network's input range."""
        mean, deviation = of_channels(self.input_range, self.channels)
        if self.bands:
            images = tf.gather(images, self.bands, axis=-1)
        images = tf.cast(images, tf.float32)
        if images.shape[1:3] != (self.input_size, self.input_size):
            # Enlarging needs no antialiasing, and XLA has no kernel for it.
            shrinks = None in images.shape[1:3] or max(images.shape[1:3]) > self.input_size
            images = tf.image.resize(images, (self.input_size, self.input_size), antialias=shrinks)
        return (images - tf.constant(mean)) / tf.constant(deviation)

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        """Images [B, H, W, any channels] in 0..255 → float32 logits [B, C], in inference mode, without gradient."""
        return tf.stop_gradient(self.differentiable_logits(images))

    def differentiable_logits(self, images: tf.Tensor) -> tf.Tensor:
        """The same logits; gradients flow to the images, if the network is a Keras model."""
        return self.as_logits(self.network(self.normalize(images), training=False))

    def as_logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """Outputs of the network, [B, C] → float32 logits [B, C] in the order of the classes."""
        outputs = tf.cast(outputs, tf.float32)
        if self.order is not None:
            outputs = tf.gather(outputs, self.order, axis=1)
        # log softmax(z) differs from z by one constant per row, which does not change the softmax.
        return tf.math.log(tf.maximum(outputs, LEAST_PROBABILITY)) if self.gives_probabilities else outputs


AnyTeacher = Teacher | StoredLogits


def digests(found: Sequence[AnyTeacher]) -> dict[str, str]:
    """The digest of each teacher, by name."""
    return {teacher.name: teacher.digest() for teacher in found}


def with_classes(teacher: AnyTeacher, class_names: Sequence[str]) -> AnyTeacher:
    """A teacher whose logits are in the order of these classes.

    A teacher that does not name its classes is taken to have them in this order.

    Raises:
        UserError: its number of logits differs from the number of `class_names`, or it names other classes.
    """
    remedy = "fine-tune it on this data with `python -m keras_satkd.teach`"
    if teacher.classes != len(class_names):
        raise UserError(
            f"teacher {teacher.name} has {teacher.classes} classes, the data has {len(class_names)}: {remedy}"
        )
    known, wanted = teacher.class_names, tuple(class_names)
    if known is None or known == wanted:
        return teacher
    for name in wanted:
        if name not in known:
            other = next(each for each in known if each not in wanted)
            raise UserError(f"teacher {teacher.name} has class {other!r} where the data has {name!r}: {remedy}")
    before = range(len(known)) if teacher.order is None else teacher.order
    order = tuple(before[known.index(name)] for name in wanted)
    return replace(teacher, class_names=wanted, order=order)
