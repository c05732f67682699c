"""A `Distiller` whose student loses channels while it learns: capacity-dynamic distillation.

Source: Xie et al., "Towards a Smaller Student: Capacity Dynamic Distillation" (CVPR 2023, arXiv 2303.09230): the
student has much capacity when it learns most. There, a learned convolution tells a channel's importance; here, the
scales of the batch norms do (`models.width.importance`), which leave nothing behind in the student.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from keras_satkd.distiller import Distiller
from keras_satkd.models.width import channels_kept, groups_of, importance, most_important
from keras_satkd.settings.method_config import CapacityConfig


def first_narrow_epoch(epochs: int, settings: CapacityConfig) -> int:
    """The first epoch, from 0, in which the student has its own width: `⌈until · epochs⌉`."""
    return math.ceil(settings.until * epochs)


def removals(epoch: int, epochs: int, settings: CapacityConfig) -> int:
    """How often channels have been removed when an epoch begins, from 0 to `settings.steps`: equally often in time."""
    return min(settings.steps, epoch * settings.steps // max(1, first_narrow_epoch(epochs, settings)))


class Shrinking(Distiller):
    """Holds channels at 0 that `shrink` has removed: scale and shift of their batch norms, after every step.

    Args:
        student: the wide network, from `models.width.widened`.
        least: number of channels of each group of the narrow student, by name (`models.width.groups_of`).
        settings: as for `Distiller`.
    """

    def __init__(self, student: tf_keras.Model, *, least: Mapping[str, int], **settings: Any) -> None:
        super().__init__(student, **settings)
        self._groups, _ = groups_of(student)
        self._least = dict(least)
        self._kept = {
            name: tf.Variable(tf.ones(group.channels), trainable=False, name=f"kept_{name}")
            for name, group in self._groups.items()
        }

    def shrink(self, removed: int, of: int) -> None:
        """Remove the least important of the channels that are left.

        Args:
            removed: how often channels have been removed after this call.
            of: how often they will be in all.
        """
        for name, group in self._groups.items():
            number = channels_kept(group.channels, self._least[name], removed, of)
            kept = self._kept[name].numpy()
            # What was removed stays so, though its scale may equal that of a channel that was not.
            values = np.where(kept > 0, importance(self.student, group), -1.0)
            chosen = np.zeros_like(kept)
            chosen[most_important(values, number)] = 1
            self._kept[name].assign(chosen)
        self._hold()

    def _after_step(self) -> None:
        super()._after_step()
        self._hold()

    def _hold(self) -> None:
        averages = {}
        if self.average:
            averages = {
                weights.ref(): average for average, weights in zip(self._averages, self._averaged(), strict=True)
            }
        for name, group in self._groups.items():
            for norm in map(self.student.get_layer, group.norms):
                for weights in (norm.gamma, norm.beta):
                    for held in (weights, averages.get(weights.ref())):
                        if held is not None:
                            held.assign(held * self._kept[name])


class Shrink(tf_keras.callbacks.Callback):  # type: ignore[misc]  # TensorFlow has no types
    """Removes channels at the beginning of epochs. Its state is in the model, so a resumed training goes on alike.

    Args:
        epochs: of the whole training.
        settings: when, and how often.
    """

    def __init__(self, epochs: int, settings: CapacityConfig) -> None:
        super().__init__()
        self._epochs, self._settings = epochs, settings

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras."""
        self.model.shrink(removals(epoch, self._epochs, self._settings), self._settings.steps)
