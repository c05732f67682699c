"""What a way of teaching changes in a training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf
import tf_keras

from keras_satkd.distiller import Distiller


@dataclass(frozen=True)
class Method:
    """What a way of teaching changes in a training; nothing by default.

    Attributes:
        distiller: makes the distiller, with the arguments of `Distiller`.
        batches: number of the epoch → training batches, in place of those of the labelled images.
        callbacks: of Keras; they act before those that record an epoch.
        first_epoch: the weights of earlier epochs, counted from 0, are no candidates for the best ones.
    """

    distiller: Callable[..., Distiller] = Distiller
    batches: Callable[[tf.Variable], tf.data.Dataset] | None = None
    callbacks: Sequence[tf_keras.callbacks.Callback] = ()
    first_epoch: int = 0


PLAIN = Method()
