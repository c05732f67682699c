"""A labelled set of decoded images, whatever they came from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ImageSet:
    """N images of one size with their classes and the names of the files they came from.

    Attributes:
        images: uint8 [N, H, W, C] in 0..255, RGB or (C = 1) gray; may be a read-only memory map.
        labels: int32 [N], positions in `class_names`.
        files: N unique names that stay the same wherever the images lie: the path from the class folder on
            (`Forest/Forest_1.jpg`), `synthetic/Forest/00012`, or `train:12` for TFDS.
        class_names: sorted.
    """

    images: np.ndarray
    labels: np.ndarray
    files: tuple[str, ...]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        """N."""
        return len(self.files)

    def take(self, indices: Sequence[int] | np.ndarray) -> "ImageSet":
        """The images at `indices` (integers, [M]), in that order, copied into memory."""
        indices = np.asarray(indices, dtype=np.intp)
        files = tuple(self.files[index] for index in indices)
        return ImageSet(np.asarray(self.images[indices]), self.labels[indices], files, self.class_names)
