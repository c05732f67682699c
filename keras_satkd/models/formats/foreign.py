"""A network that another library has loaded, with what a teacher needs of a Keras model."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from firmware_export.common.errors import UserError

Shape = tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class ForeignNetwork:
    """A frozen network that is not a Keras model of `tf_keras`.

    Attributes:
        run: float32 [B, S, S, bands] in the network's own input range → [B, C]; also within a graph.
        input_shape: (None, S, S, bands); S is None if the network takes images of any size.
        output_shape: (None, C).
        sha256: digest of its files, 64 hexadecimal digits.
        bytes: size of its files.
        parameters: number of weights; None if its format does not tell.
        input_range: one of `INPUT_RANGES` that its file shows; None if it shows none.
    """

    run: Callable[[tf.Tensor], tf.Tensor]
    input_shape: Shape
    output_shape: Shape
    sha256: str
    bytes: int
    parameters: int | None = None
    input_range: str | None = None

    def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The outputs, [B, C]. A foreign network is never trained."""
        if training:
            raise ValueError("a foreign network cannot be trained: call it with training=False")
        return self.run(images)


@dataclass(frozen=True)
class Layout:
    """The input of a network: images of shape [batch, height, width, bands] or [batch, bands, height, width].

    Attributes:
        size: height and width; None for any.
        bands: number of bands.
        is_bands_first: whether the bands come before height and width, as in PyTorch.
        batch: 1 if the network takes one image at a time; None for any number.
    """

    size: int | None
    bands: int
    is_bands_first: bool
    batch: int | None

    @property
    def input_shape(self) -> Shape:
        """(None, S, S, bands)."""
        return (None, self.size, self.size, self.bands)

    def arranged(self, images: Any) -> Any:
        """Images [B, S, S, bands], an array or a tensor, in the order of axes that the network takes."""
        if not self.is_bands_first:
            return images
        axes = (0, 3, 1, 2)
        return np.transpose(images, axes) if isinstance(images, np.ndarray) else tf.transpose(images, axes)


LARGEST_BANDS = 32
"""An axis of at most this length can be the bands."""


def layout(what: str, shape: Sequence[int | None]) -> Layout:
    """The layout of a network's input.

    Args:
        what: names the network in messages.
        shape: of the input, batch included; None for a variable size.

    Raises:
        UserError: it is no batch of square images, or it takes several images at once but not any number.
    """
    for axis, is_first in ((3, False), (1, True)):
        if len(shape) != 4 or (bands := shape[axis]) is None or bands > LARGEST_BANDS:
            continue
        height, width = (shape[2], shape[3]) if is_first else (shape[1], shape[2])
        if height == width and (height is None or height > 0) and shape[0] in (None, 1):
            return Layout(height, bands, is_first, shape[0])
    shown = tuple(shape)
    raise UserError(f"{what} has input shape {shown}: give a model with (batch, size, size, bands), square images")


def only(what: str, kind: str, ends: Sequence[str]) -> str:
    """The name of a network's only input or output.

    Raises:
        UserError: it has none or several; `kind` is `input` or `output`.
    """
    if len(ends) != 1:
        listed = f" ({', '.join(ends[:4])})" if ends else ""
        raise UserError(f"{what} has {len(ends)} {kind}s{listed}: give an image classifier, with one {kind}")
    return ends[0]


def outside_graph(
    function: Callable[[np.ndarray], np.ndarray], layout: Layout, classes: int | None
) -> Callable[[tf.Tensor], tf.Tensor]:
    """`ForeignNetwork.run` of a library that computes on arrays.

    Args:
        function: float32 in the network's own order of axes → float [B, C].
        layout: of the input; a network for one image gets one after the other.
        classes: C, if it is known.
    """

    def compute(images: np.ndarray) -> np.ndarray:
        arranged = layout.arranged(images)
        parts = [function(arranged[at : at + 1]) for at in range(len(arranged))] if layout.batch else None
        outputs = function(arranged) if parts is None else np.concatenate(parts)
        return np.asarray(outputs, np.float32)

    def run(images: tf.Tensor) -> tf.Tensor:
        outputs = tf.numpy_function(compute, [tf.cast(images, tf.float32)], tf.float32)
        return tf.ensure_shape(outputs, (None, classes))

    return run


def digest(files: Sequence[Path]) -> tuple[str, int]:
    """SHA-256 over the contents of a network's files, and their size in bytes."""
    found, size = hashlib.sha256(), 0
    for path in files:
        content = path.read_bytes()
        found.update(hashlib.sha256(content).digest())
        size += len(content)
    return found.hexdigest(), size


def one_line(error: Exception) -> str:
    """The message of another library's exception on one line, at most 200 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."
