"""Training images that are duplicates of validation or test images: a model would be scored on what it was trained on.

Exact duplicates have the same decoded pixels. Near duplicates pass two checks:

- their perceptual hashes (`imagehash.phash`, 64 bits) differ in at most `MOST_BITS` bits;
- as 16×16 gray pixels, their correlation is at least `LEAST_CORRELATION`.

The hash alone is not enough: of an image without structure it is mostly noise, and it finds hundreds of pairs of plain
water or fields in EuroSAT. With both checks it finds few pairs there, which show the same place. Of EuroSAT images that
were compressed as JPEG (quality 50), made brighter by a tenth, halved in size, or moved by one pixel, at least 85 % are
found.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from firmware_export.images.image_set import ImageSet

MOST_BITS = 10
LEAST_CORRELATION = 0.9

_SIDE = 16
_LEAST_DEVIATION = 1.0
"""Standard deviation of the gray pixels below which an image has no structure, and only exact duplicates count."""

_ROWS, _PAIRS = 256, 1 << 16
"""Number of images whose hashes are compared at a time, and of pairs whose pixels are."""


@dataclass(frozen=True)
class Duplicates:
    """Training images with a duplicate among the others.

    Attributes:
        exact: bool [N], those with the same pixels as another image.
        near: bool [N], the others that are nearly the same as another image.
        example: names of a training image and its duplicate; None if there is none.
    """

    exact: np.ndarray
    near: np.ndarray
    example: tuple[str, str] | None

    @property
    def images(self) -> np.ndarray:
        """Both kinds, bool [N]."""
        found: np.ndarray = self.exact | self.near
        return found

    def summary(self) -> str | None:
        """One line; None if there are none."""
        if self.example is None:
            return None
        exact, near = int(self.exact.sum()), int(self.near.sum())
        pair = f"{self.example[0]} and {self.example[1]}"
        return (
            f"{exact + near} training images are in another part too ({exact} exactly, {near} nearly), such as {pair}"
        )


def find(train: ImageSet, others: Sequence[ImageSet]) -> Duplicates:
    """The training images with a duplicate in other parts, which have images of the same size."""
    exact, near = np.zeros(len(train), bool), np.zeros(len(train), bool)
    example: tuple[str, str] | None = None
    low, high = _range(train.images)
    one = _described(train.images, low, high)
    for other in others:
        two = _described(other.images, low, high)
        for left, right in _pairs(one, two):
            exact[left[one.digests[left] == two.digests[right]]] = True
            near[left] = True
            example = example or (train.files[left[0]], other.files[right[0]])
    return Duplicates(exact, near & ~exact, example)


def repeated(images: ImageSet) -> np.ndarray:
    """Whether an image repeats an earlier one of the set, exactly or nearly, bool [N]."""
    found = np.zeros(len(images), bool)
    described = _described(images.images, *_range(images.images))
    for left, right in _pairs(described, described):
        found[np.maximum(left, right)[left != right]] = True
    return found


@dataclass(frozen=True)
class _Described:
    """Digests of the pixels, 32 bytes [N]; hashes, uint64 [N]; gray pixels, float32 [N, 256] of length 1, or 0."""

    digests: np.ndarray
    hashes: np.ndarray
    gray: np.ndarray


def _range(images: np.ndarray) -> tuple[float, float]:
    """The values that become 0 and 255: those of 8-bit images stay as they are."""
    if images.dtype == np.uint8 or not len(images):
        return 0.0, 255.0
    some = images[:: max(1, len(images) // 1000)].mean(axis=-1)
    low, high = (float(np.quantile(some, share)) for share in (0.001, 0.999))
    return low, high if high > low else low + 1


def _described(images: np.ndarray, low: float, high: float) -> _Described:
    digests = np.array([hashlib.sha256(image.tobytes()).digest() for image in images], "V32")
    hashes, gray = np.empty(len(images), np.uint64), np.empty((len(images), _SIDE**2), np.float32)
    for at, image in enumerate(images):
        codes = 255 * (image.mean(axis=-1) - low) / (high - low)
        picture = Image.fromarray(np.clip(np.round(codes), 0, 255).astype(np.uint8))
        hashes[at] = np.packbits(imagehash.phash(picture).hash).view(np.uint64)[0]
        pixels = np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32).ravel()
        deviation = float(pixels.std())
        gray[at] = (pixels - pixels.mean()) / (_SIDE * deviation) if deviation >= _LEAST_DEVIATION else 0
    return _Described(digests, hashes, gray)


def _pairs(one: _Described, two: _Described) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions of duplicates in both, int [P] each, P ≥ 1, in several portions."""
    _, left, right = np.intersect1d(one.digests, two.digests, return_indices=True)
    same = np.flatnonzero(np.isin(one.digests, two.digests))
    if len(left):
        first = dict(zip(one.digests[left].tolist(), right, strict=True))
        yield same, np.array([first[digest] for digest in one.digests[same].tolist()])
    rows, columns = (np.flatnonzero(each.gray.any(axis=1)) for each in (one, two))
    for at in range(0, len(rows), _ROWS):
        chosen = rows[at : at + _ROWS]
        bits = np.bitwise_count(one.hashes[chosen, None] ^ two.hashes[None, columns])
        candidates = np.argwhere(bits <= MOST_BITS)
        for start in range(0, len(candidates), _PAIRS):
            left, right = candidates[start : start + _PAIRS].T
            left, right = chosen[left], columns[right]
            correlation = np.einsum("ij,ij->i", one.gray[left], two.gray[right])
            if (alike := correlation >= LEAST_CORRELATION).any():
                yield left[alike], right[alike]
