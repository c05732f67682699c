"""A labelled set of decoded images, independent of their source."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from firmware_export.common import on_disk

PARTS = ("train", "validation", "test")
"""Names of the parts of a split."""


RGB = ("red", "green", "blue")
"""Names of the channels of pictures."""


@dataclass(frozen=True)
class Bands:
    """Which bands of the files are the channels of the images.

    Attributes:
        names: of the channels.
        positions: of each channel's band in the file, from 0.
        of: number of bands in each file.
    """

    names: tuple[str, ...]
    positions: tuple[int, ...]
    of: int


@dataclass(frozen=True)
class ImageSet:
    """N images of one size, with their classes and file names.

    Attributes:
        images: [N, H, W, C]; may be a read-only memory map, or `on_disk.Rows` that stand for an array. uint8 in 0..255;
            before they are scaled, images of more bits are uint16 or float32.
        labels: int32 [N], positions in `class_names`.
        files: N unique names that do not depend on where the data set is stored: the path that starts at the class
            folder (`Forest/Forest_1.jpg`), `synthetic/Forest/00012`, or `train:12` for TFDS.
        class_names: sorted.
        parts: N of `PARTS`, if the set came split; otherwise empty.
        groups: names of the groups (scenes, dates) that no split may divide, [N]; empty if there are none.
        positions: places of the images' centers, float64 [N, 2]: x and y; or [N, 3]: on a sphere of the Earth's radius,
            in kilometers. None if they are unknown.
        bands: what the channels are; None: RGB or (C = 1) gray of ordinary pictures.
    """

    images: np.ndarray
    labels: np.ndarray
    files: tuple[str, ...]
    class_names: tuple[str, ...]
    parts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    positions: np.ndarray | None = None
    bands: Bands | None = None

    @property
    def channel_names(self) -> tuple[str, ...]:
        """C names."""
        if self.bands is not None:
            return self.bands.names
        return RGB if self.images.shape[-1] == len(RGB) else ("gray",)

    def __len__(self) -> int:
        """N."""
        return len(self.files)

    def take(self, indices: Sequence[int] | np.ndarray) -> "ImageSet":
        """The images at `indices` (integers, [M]), in that order, as `on_disk.taken` gives them."""
        indices = np.asarray(indices, dtype=np.intp)
        files, parts, groups = (
            tuple(values[index] for index in indices) if values else ()
            for values in (self.files, self.parts, self.groups)
        )
        positions = None if self.positions is None else self.positions[indices]
        images, labels = on_disk.taken(self.images, indices), self.labels[indices]
        return replace(self, images=images, labels=labels, files=files, parts=parts, groups=groups, positions=positions)

    def evenly(self, purpose: str) -> "ImageSet":
        """The set, or as many of its images as fit in memory if it is on disk; see `on_disk.evenly`."""
        chosen = on_disk.evenly(self.images, purpose)
        return self if isinstance(chosen, slice) else self.take(chosen)
