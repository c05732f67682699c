"""Training, validation and test images: disjoint, stratified, and the same on every machine.

Within a class, files are ordered by a hash of seed and file name and divided by the fractions. So the split depends
neither on the order in which a file system lists files nor on a library's random numbers, and adding images to one
class does not move images of another.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import ImageSet
from keras_satkd.config import DataConfig

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """The three parts of an image set.

    The images of a part are in hash order: any consecutive images are a random sample of all classes.

    Attributes:
        train: images for training.
        validation: images for selecting weights, and for schedules and calibration.
        test: images that are scored once, at the end.
        sha256: of the lines `part/class/file`, sorted; 64 hexadecimal digits.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    sha256: str

    def file_list(self) -> dict[str, list[str]]:
        """The sorted file names of every part, as in a run's `split.json`."""
        return {part: sorted(getattr(self, part).files) for part in PARTS}


def split(image_set: ImageSet, settings: DataConfig) -> Split:
    """Split `image_set` by `settings.validation_fraction`, `.test_fraction` and `.seed`.

    In every class, every part gets its fraction of the images, rounded, and at least one.

    Raises:
        UserError: a class has fewer than three images.
    """
    order = _hash_order(image_set.files, settings.seed)
    labels = image_set.labels[order]
    indices: dict[str, list[int]] = {part: [] for part in PARTS}
    for label, name in enumerate(image_set.class_names):
        members = order[labels == label]
        tests, validations = _sizes(name, len(members), settings)
        indices["test"] += list(members[:tests])
        indices["validation"] += list(members[tests : tests + validations])
        indices["train"] += list(members[tests + validations :])
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    parts = {part: image_set.take(sorted(chosen, key=lambda index: rank[index])) for part, chosen in indices.items()}
    return Split(**parts, sha256=_sha256(parts))


def _hash_order(files: tuple[str, ...], seed: int) -> np.ndarray:
    hashes = [hashlib.sha256(_bytes(f"{seed}/{file}")).digest() for file in files]
    return np.array(sorted(range(len(files)), key=hashes.__getitem__), dtype=np.intp)


def _sizes(name: str, images: int, settings: DataConfig) -> tuple[int, int]:
    """Numbers of a class's images for test and validation; at least one is left for training."""
    if images < len(PARTS):
        raise UserError(
            f"class {name!r} has {images} readable image{'' if images == 1 else 's'}; at least 3 are needed, one each "
            "for training, validation and test: add images or remove the class"
        )
    tests = min(max(1, round(settings.test_fraction * images)), images - 2)
    validations = min(max(1, round(settings.validation_fraction * images)), images - tests - 1)
    return tests, validations


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
