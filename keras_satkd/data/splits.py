"""Training, validation and test images: disjoint, stratified, and the same on every machine.

A set that comes split (folders `train/`, `val/`, `test/`, or splits of TFDS) keeps its parts. Otherwise, within a
class, files are ordered by a hash of seed and file name and divided by the fractions. So the split depends neither on
the order in which a file system lists files nor on a library's random numbers, and adding images to one class does not
move images of another.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import PARTS, ImageSet
from keras_satkd.config import DataConfig


@dataclass(frozen=True)
class Split:
    """The three parts of an image set.

    The images of a part are in hash order: any consecutive images are a random sample of all classes.

    Attributes:
        train: images for training.
        validation: images for selecting weights, and for schedules and calibration.
        test: images that are scored once, at the end.
        sha256: of the lines `part/class/file`, sorted; 64 hexadecimal digits.
        is_own: whether the image set came split.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    sha256: str
    is_own: bool = False

    def summary(self) -> str:
        """What a run logs: `10 classes; images: 17010 train, 2430 validation, 4860 test`."""
        sizes = ", ".join(f"{len(getattr(self, part))} {part}" for part in PARTS)
        kept = " (the set's own parts)" if self.is_own else ""
        return f"{len(self.train.class_names)} classes; images: {sizes}{kept}"

    def file_list(self) -> dict[str, list[str]]:
        """The sorted file names of every part, as in a run's `split.json`."""
        return {part: sorted(getattr(self, part).files) for part in PARTS}


def split(image_set: ImageSet, settings: DataConfig) -> Split:
    """Split `image_set`, or keep the parts that it came with, as `settings.parts` says.

    In every class, a part that the set does not have gets `settings.validation_fraction` or `.test_fraction` of the
    class's other images, rounded, and at least one.

    Raises:
        UserError: a class has too few images, or none in one of the set's parts; or the set's own split is asked for,
            and there is none, or it has no training images.
    """
    own = _own_parts(image_set, settings)
    lacking = [part for part in PARTS if part not in own]
    order = _hash_order(image_set.files, settings.seed)
    labels, assigned = image_set.labels[order], own[order]
    indices: dict[str, list[int]] = {part: [] for part in PARTS}
    for label, name in enumerate(image_set.class_names):
        members, part_of = order[labels == label], assigned[labels == label]
        rest = members[part_of == "train"]
        sizes = _sizes(name, len(rest), settings, lacking)
        for part in ("test", "validation"):
            if part in lacking:
                chosen, rest = rest[: sizes[part]], rest[sizes[part] :]
            else:
                chosen = members[part_of == part]
            if not len(chosen):
                raise UserError(f"class {name!r} has no {part} images: add some, or use --data.parts new")
            indices[part] += list(chosen)
        indices["train"] += list(rest)
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    parts = {part: image_set.take(sorted(chosen, key=lambda index: rank[index])) for part, chosen in indices.items()}
    return Split(**parts, sha256=_sha256(parts), is_own=len(set(own)) > 1)


def _own_parts(image_set: ImageSet, settings: DataConfig) -> np.ndarray:
    """The part of each image in the set, [N] of `PARTS`; all are `train` if the set is to be split."""
    if settings.parts == "own" and not image_set.parts:
        raise UserError(
            f"--data.parts own: {settings.source} does not come split: give a set with train/ and test/ above its "
            "class folders, or use new"
        )
    if settings.parts == "new" or not image_set.parts:
        return np.full(len(image_set), "train")
    if "train" not in image_set.parts:
        found = " and ".join(part for part in PARTS if part in image_set.parts)
        raise UserError(f"{settings.source} has only {found} images: add its training images, or use --data.parts new")
    return np.array(image_set.parts)


def _hash_order(files: tuple[str, ...], seed: int) -> np.ndarray:
    hashes = [hashlib.sha256(_bytes(f"{seed}/{file}")).digest() for file in files]
    return np.array(sorted(range(len(files)), key=hashes.__getitem__), dtype=np.intp)


def _sizes(name: str, images: int, settings: DataConfig, lacking: Sequence[str]) -> dict[str, int]:
    """Numbers of a class's training images for the parts that the set lacks; at least one is left for training."""
    if images <= len(lacking):
        needed = ", ".join(("training", *lacking))
        plural = "" if images == 1 else "s"
        raise UserError(
            f"class {name!r} has {images} readable image{plural} to split; at least {1 + len(lacking)} are needed, one "
            f"each for {needed}: add images or remove the class"
        )
    sizes = {}
    left = images - 1 - len(lacking)
    for part, fraction in (("test", settings.test_fraction), ("validation", settings.validation_fraction)):
        if part in lacking:
            sizes[part] = min(max(1, round(fraction * images)), left + 1)
            left -= sizes[part] - 1
    return sizes


def _sha256(parts: dict[str, ImageSet]) -> str:
    lines = sorted(
        f"{part}/{members.class_names[label]}/{file}\n"
        for part, members in parts.items()
        for file, label in zip(members.files, members.labels, strict=True)
    )
    return hashlib.sha256(_bytes("".join(lines))).hexdigest()


def _bytes(text: str) -> bytes:
    # Python represents file names that are not UTF-8 with lone surrogates.
    return text.encode("utf-8", "surrogateescape")
