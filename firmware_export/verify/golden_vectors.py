"""Golden vectors: a few images, and the outputs that TensorFlow Lite Micro computed for them on the host."""

import hashlib
import zlib
from dataclasses import dataclass

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.tflite import interpreters
from firmware_export.tflite.model import Model

GOLDEN_VECTORS = 4
"""How many inputs go along unless told otherwise: an input each is all the flash that they cost."""


@dataclass(frozen=True, eq=False)
class GoldenVectors:
    """Inputs, and the answers that TensorFlow Lite Micro gave to them on the host."""

    inputs: np.ndarray
    """uint8 [N, …input shape without the batch], pixels as the camera gives them; or int8, the model's codes, where its
    input is not `pixel ^ 0x80` and a part's own rounding would come in between."""
    outputs: np.ndarray
    """int8 [N, …output shape without the batch]."""

    @property
    def content(self) -> bytes:
        """All inputs, then all outputs; what the digests are of."""
        return self.inputs.tobytes() + self.outputs.tobytes()

    @property
    def sha256(self) -> str:
        """Of `content`, in lower-case hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def crc32(self) -> int:
        """zlib's CRC-32 of `content`."""
        return zlib.crc32(self.content)

    @property
    def classes(self) -> tuple[int, ...]:
        """The index of each answer's largest output, from 0; the first of equals."""
        return tuple(int(index) for index in _classes(self.outputs))

    @property
    def summary(self) -> "GoldenSummary":
        """What a report says of them."""
        return GoldenSummary(len(self.inputs), len(self.content), self.sha256, self.classes)


@dataclass(frozen=True)
class GoldenSummary:
    """What a report says of golden vectors."""

    count: int
    bytes: int
    """Of all inputs and outputs."""
    sha256: str
    classes: tuple[int, ...]
    """The index of each answer's largest output."""


def golden_vectors(
    model: Model,
    images: np.ndarray,
    *,
    count: int = GOLDEN_VECTORS,
    outputs: np.ndarray | None = None,
) -> GoldenVectors:
    """Choose images of as many predicted classes as there are, and note what TFLM answers.

    Args:
        model: int8, with batch 1.
        images: uint8 [N, …input shape without the batch], pixels 0…255; or int8, the model's codes.
        count: how many to choose, from 1 to N.
        outputs: int8 [N, …output shape without the batch], the known answers to `images`, by which to choose; TFLM
            (`interpreters.run`) is asked about every image if left out, and about the chosen ones in any case.

    Returns:
        `count` vectors: the first image of each predicted class in the order of `images`, then the second of each, …

    Raises:
        UserError: there are fewer than `count` images, `count` is below 1, or TFLM refuses the model.
    """
    if not 1 <= count <= len(images):
        raise UserError(f"{count} golden vectors of {len(images)} images: ask for 1 to {len(images)}, or give more")
    codes = interpreters.quantize_input(images, model.graph)
    chosen = _choose(_classes(interpreters.run(model, codes) if outputs is None else outputs), count)
    codes = codes[chosen]
    inputs = codes.view(np.uint8) ^ np.uint8(0x80) if model.graph.has_unit_input else codes
    return GoldenVectors(inputs=inputs, outputs=interpreters.run(model, codes))


def _classes(outputs: np.ndarray) -> np.ndarray:
    classes: np.ndarray = outputs.reshape(len(outputs), -1).argmax(axis=1)
    return classes


def _choose(classes: np.ndarray, count: int) -> np.ndarray:
    """Indices, sorted by how many images of the same class came before, then by place."""
    earlier = [np.count_nonzero(classes[:index] == wanted) for index, wanted in enumerate(classes)]
    return np.argsort(earlier, kind="stable")[:count]
