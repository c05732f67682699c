"""Parts of a batch, which devices that train together divide among themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import tensorflow as tf

OwnRows = Callable[[tf.Tensor], tf.Tensor]
"""The rows of one part of a batch."""


@dataclass(frozen=True)
class Parts:
    """The parts of every batch that the devices of one process train on.

    Attributes:
        first: number of the first, from 0.
        count: number of these parts.
        of: number of parts of a batch.
    """

    first: int
    count: int
    of: int

    def each(self, *batch: tf.Tensor) -> tf.data.Dataset:
        """A batch with the number of each part, int64."""
        numbers = tf.data.Dataset.range(self.first, self.first + self.count)
        return numbers.map(lambda part: (*batch, part))

    def rows(self, values: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
        """The rows of one part of a batch; parts of a batch that they do not divide differ by one row."""
        rows = tf.shape(values, tf.int64)[0]
        return values[rows * part // self.of : rows * (part + 1) // self.of]

    def of_batch(self, inputs: dict[str, tf.Tensor], labels: tf.Tensor, part: tf.Tensor) -> Any:
        """One part of a batch as `each` gives it: inputs and labels."""
        return tf.nest.map_structure(partial(self.rows, part=part), (inputs, labels))


def whole(values: tf.Tensor) -> tf.Tensor:
    """All rows, where a batch is not divided."""
    return values
