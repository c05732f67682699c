"""Golden vectors: a few images, and the outputs that TensorFlow Lite Micro computed for them on the host."""

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.steps import step
from firmware_export.tflite import interpreters
from firmware_export.tflite.model import Model
from firmware_export.verify.dense_parity import DenseParity

GOLDEN_VECTORS = 4
"""Default number of vectors; each costs the flash for one input and one output."""


@dataclass(frozen=True, eq=False)
class GoldenVectors:
    """Inputs, and the outputs that TensorFlow Lite Micro computed for them on the host."""

    inputs: np.ndarray
    """uint8 [N, …input shape without the batch], pixels as from the camera. If the model's input is not `pixel ^ 0x80`:
    int8, the model's input codes, so that the rounding of firmware's own quantization has no effect."""
    outputs: np.ndarray
    """int8 [N, …output shape without the batch]."""
    note: str = ""
    """What the files add about them, without a full stop."""

    @property
    def content(self) -> bytes:
        """All inputs, then all outputs; the digests are computed from these bytes."""
        return self.inputs.tobytes() + self.outputs.tobytes()

    @property
    def sha256(self) -> str:
        """SHA-256 of `content`, in lower-case hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def crc32(self) -> int:
        """zlib's CRC-32 of `content`."""
        return zlib.crc32(self.content)

    @property
    def classes(self) -> tuple[int, ...]:
        """The index of each vector's largest output, from 0; the lowest index if several are equal."""
        return tuple(int(index) for index in _classes(self.outputs))

    @property
    def summary(self) -> "GoldenSummary":
        """The facts for a report."""
        return GoldenSummary(len(self.inputs), len(self.content), self.sha256, self.classes)


@dataclass(frozen=True)
class GoldenSummary:
    """Facts about golden vectors, for a report."""

    count: int
    bytes: int
    """Size of all inputs and outputs."""
    sha256: str
    classes: tuple[int, ...]
    """The index of each vector's largest output."""


@step("choosing golden vectors")
def golden_vectors(
    model: Model,
    images: np.ndarray,
    *,
    count: int = GOLDEN_VECTORS,
    outputs: np.ndarray | None = None,
    dense: DenseParity | None = None,
    compute: Callable[[np.ndarray], np.ndarray] | None = None,
) -> GoldenVectors:
    """Choose images of as many predicted classes as possible, and compute TFLM's outputs for them.

    Args:
        model: int8, with batch 1.
        images: uint8 [N, …input shape without the batch], pixels 0…255; or int8, the model's codes.
        count: number of vectors, from 1 to N.
        outputs: int8 [N, …output shape without the batch], the model's outputs for `images`, used to choose. By default
            they are computed with TFLM (`interpreters.run`). The outputs in the result are always computed.
        dense: its input that tells TFLM's versions apart, if there is one, takes the place of the last vector.
        compute: from codes to outputs; by default with TFLM.

    Returns:
        `count` vectors: the first image of each predicted class in the order of `images`, then the second of each, …

    Raises:
        UserError: there are fewer than `count` images, `count` is less than 1, or TFLM refuses the model.
    """
    if not 1 <= count <= len(images):
        raise UserError(f"{count} golden vectors of {len(images)} images: choose 1 to {len(images)}, or give more")
    codes = interpreters.quantize_input(images, model.graph)
    chosen = _choose(_classes(interpreters.run(model, codes) if outputs is None else outputs), count)
    codes = codes[chosen]
    if dense is not None and dense.telling is not None:
        codes[-1:] = dense.telling
    inputs = interpreters.firmware_input(codes, model.graph)
    outputs = compute(codes) if compute else interpreters.run(model, codes)
    note = dense.statement if dense is not None and dense.can_differ else ""
    return GoldenVectors(inputs=inputs, outputs=outputs, note=note)


def _classes(outputs: np.ndarray) -> np.ndarray:
    classes: np.ndarray = outputs.reshape(len(outputs), -1).argmax(axis=1)
    return classes


def _choose(classes: np.ndarray, count: int) -> np.ndarray:
    """Indices, sorted by the number of earlier images of the same class, then by position."""
    earlier = [np.count_nonzero(classes[:index] == wanted) for index, wanted in enumerate(classes)]
    return np.argsort(earlier, kind="stable")[:count]
