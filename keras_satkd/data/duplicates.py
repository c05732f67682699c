"""Training images that are duplicates of validation or test images: a model would be scored on what it was trained on.

Exact duplicates have the same decoded pixels. Near duplicates pass two checks:

- their perceptual hashes (`imagehash.phash`, 64 bits) differ in at most `MOST_BITS` bits;
- as 16×16 gray pixels, their correlation is at least `LEAST_CORRELATION`.

The hash alone is not enough: of an image without structure it is mostly noise, and it finds hundreds of pairs of plain
water or fields in EuroSAT. With both checks it finds few pairs there, which show the same place. Of EuroSAT images that
were compressed as JPEG (quality 50), made brighter by a tenth, halved in size, or moved by one pixel, at least 85 % are
found.

Each image is compared with each, which takes days for millions of images. In sets of more than `MOST_NEAR` images, only
exact duplicates are looked for, by their digests; the log says so.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from firmware_export.common import on_disk
from firmware_export.images.image_set import ImageSet

logger = logging.getLogger("keras_satkd")

MOST_NEAR = 200_000
"""Largest number of images, of all parts together, of which near duplicates are found; 1 KB of memory each."""

MOST_BITS = 10
LEAST_CORRELATION = 0.9

_SIDE = 16
_LEAST_DEVIATION = 1.0
"""Standard deviation of the gray pixels below which an image has no structure, and only exact duplicates count."""

_ROWS, _COMPARED, _PAIRS = 256, 1 << 22, 1 << 16
"""Largest number of images whose hashes are compared at a time, of pairs of hashes, and of pairs of pixels."""


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
    is_near_found = _is_near_found(len(train) + sum(map(len, others)))
    one = _described(train.images, low, high, is_near_found)
    for other in others:
        two = _described(other.images, low, high, is_near_found)
        for left, right in _pairs(one, two):
            exact[left[one.digests[left] == two.digests[right]]] = True
            near[left] = True
            example = example or (train.files[left[0]], other.files[right[0]])
    return Duplicates(exact, near & ~exact, example)


def repeated(images: ImageSet) -> np.ndarray:
    """Whether an image repeats an earlier one of the set, exactly or nearly, bool [N]."""
    found = np.zeros(len(images), bool)
    described = _described(images.images, *_range(images.images), _is_near_found(len(images)))
    for left, right in _pairs(described, described):
        found[np.maximum(left, right)[left != right]] = True
    return found


def of_two_classes(parts: Sequence[ImageSet]) -> str | None:
    """What to tell of images with the same pixels and different labels, in any parts; None if there are none."""
    first: dict[bytes, tuple[int, str]] = {}
    found: list[tuple[str, str]] = []
    for part in parts:
        digests = _described(part.images, 0.0, 255.0, is_near_found=False).digests
        for digest, label, file in zip(digests.tolist(), part.labels.tolist(), part.files, strict=True):
            earlier, name = first.setdefault(digest, (label, file))
            if earlier != label:
                found.append((name, file))
    if not found:
        return None
    pair = f"{found[0][0]} and {found[0][1]}"
    return f"the same picture is in two classes, {len(found)} times, such as {pair}: correct their labels"


def _is_near_found(images: int) -> bool:
    if images > MOST_NEAR:
        logger.warning("of %d images, only exact duplicates are looked for: near ones of at most %d", images, MOST_NEAR)
    return images <= MOST_NEAR


@dataclass(frozen=True)
class _Described:
    """Digests of the pixels, 32 bytes [N]; hashes, uint64 [M]; gray pixels, float32 [M, 256] of length 1, or 0.

    M is N, or 0 if only exact duplicates are looked for.
    """

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


def _described(images: np.ndarray, low: float, high: float, is_near_found: bool) -> _Described:
    number = len(images) if is_near_found else 0
    digests = np.empty(len(images), "V32")
    hashes, gray = np.empty(number, np.uint64), np.empty((number, _SIDE**2), np.float32)
    for at, image in enumerate(image for piece in on_disk.pieces(images) for image in piece):
        digests[at] = np.void(hashlib.sha256(image.tobytes()).digest())
        if not is_near_found:
            continue
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
    step = min(_ROWS, max(1, _COMPARED // max(1, len(columns))))
    for at in range(0, len(rows), step):
        chosen = rows[at : at + step]
        bits = np.bitwise_count(one.hashes[chosen, None] ^ two.hashes[None, columns])
        candidates = np.argwhere(bits <= MOST_BITS)
        for start in range(0, len(candidates), _PAIRS):
            left, right = candidates[start : start + _PAIRS].T
            left, right = chosen[left], columns[right]
            correlation = np.einsum("ij,ij->i", one.gray[left], two.gray[right])
            if (alike := correlation >= LEAST_CORRELATION).any():
                yield left[alike], right[alike]
