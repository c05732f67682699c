"""Training, validation and test images: disjoint, stratified, and the same on every machine.

A set that comes split (folders `train/`, `val/`, `test/`, or splits of TFDS) keeps its parts. Otherwise, within a
class, files are ordered by a hash of seed and file name and divided by the fractions. So the split depends neither on
the order in which a file system lists files nor on a library's random numbers, and adding images to one class does not
move images of another.
"""

import functools
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import PARTS, ImageSet
from keras_satkd.data import duplicates, group_split, pixel_digest
from keras_satkd.data import groups as grouping
from keras_satkd.settings.data_config import DataConfig

logger = logging.getLogger("keras_satkd")

MOST_LINES = 20
"""Largest number of classes that are listed."""


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
        groups: number of groups in training, validation and test; empty without groups.
        left_out: number of images in no part, because they are near another part.
        hidden: training images whose labels are not used (`few_labels`); None if all are.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    sha256: str
    is_own: bool = False
    groups: tuple[int, ...] = ()
    left_out: int = 0
    hidden: ImageSet | None = None

    @functools.cached_property
    def pixels_sha256(self) -> str:
        """SHA-256 of the pixels of all parts, by `pixel_digest.of` each; 64 hexadecimal digits."""
        parts = [self.train, self.validation, self.test, *([] if self.hidden is None else [self.hidden])]
        return hashlib.sha256("".join(pixel_digest.of(part.images) for part in parts).encode()).hexdigest()

    def summary(self) -> str:
        """What a run logs: `10 classes; images: 17010 train, 2430 validation, 4860 test`."""
        sizes = ", ".join(f"{len(getattr(self, part))} {part}" for part in PARTS)
        kept = " (the set's own parts)" if self.is_own else ""
        held = ", ".join(f"{number} {part}" for part, number in zip(PARTS, self.groups, strict=False))
        grouped = f"; groups: {held}" if self.groups else ""
        left = f"; {self.left_out} left out beside other parts" if self.left_out else ""
        hidden = "" if self.hidden is None else f"; the labels of {len(self.hidden)} more are not used"
        return f"{len(self.train.class_names)} classes; images: {sizes}{kept}{grouped}{left}{hidden}"

    def classes(self) -> list[str]:
        """Lines of a class each: `Forest: 2100 train, 300 validation, 600 test`; of many classes, the smallest."""
        names = self.train.class_names
        counts = {part: np.bincount(getattr(self, part).labels, minlength=len(names)) for part in PARTS}
        smallest = np.argsort(counts["train"], kind="stable")[:MOST_LINES]
        shown = range(len(names)) if len(names) <= MOST_LINES else smallest
        lines = [f"{names[at]}: " + ", ".join(f"{counts[part][at]} {part}" for part in PARTS) for at in shown]
        return lines + ([f"… and {len(names) - MOST_LINES} larger classes"] if len(names) > MOST_LINES else [])

    def file_list(self) -> dict[str, list[str]]:
        """The sorted file names of every part, and of `hidden` images, as in a run's `split.json`."""
        found = {part: sorted(getattr(self, part).files) for part in PARTS}
        return found if self.hidden is None else {**found, "hidden": sorted(self.hidden.files)}


def split(image_set: ImageSet, settings: DataConfig) -> Split:
    """Split `image_set`, or keep the parts that it came with, as `settings.parts` says.

    In every class, a part that the set does not have gets `settings.validation_fraction` or `.test_fraction` of the
    class's other images, rounded, and at least one; where groups must stay together (`group`, `block`), as near to the
    fraction as they allow. With `block`, images near another part are left out, of training first.

    Raises:
        UserError: a class has too few images or groups, or none in one of the set's parts; a group is in two of the
            set's parts; or the set's own split is asked for, and there is none, or it has no training images.
    """
    own = _own_parts(image_set, settings)
    lacking = [part for part in PARTS if part not in own]
    order = hash_order(image_set.files, settings.seed)
    groups = _groups(image_set, settings)
    if groups is None:
        assigned = _by_class(image_set, own, order, lacking, settings)
    else:
        assigned = _by_group(image_set, own, order, lacking, settings, groups)
    left_out = _left_out(image_set, assigned, settings)
    _check_classes(image_set, np.where(left_out, "", assigned), settings)
    parts = {part: image_set.take(order[((assigned == part) & ~left_out)[order]]) for part in PARTS}
    if settings.deduplicate:
        parts["train"] = _without_duplicates(parts)
    held = () if groups is None else tuple(len(np.unique(groups[assigned == part])) for part in PARTS)
    return Split(**parts, sha256=_sha256(parts), is_own=len(set(own)) > 1, groups=held, left_out=int(left_out.sum()))


def _by_class(
    image_set: ImageSet, own: np.ndarray, order: np.ndarray, lacking: Sequence[str], settings: DataConfig
) -> np.ndarray:
    """The part of each image, [N] of `PARTS`: those that the set lacks are drawn within each class."""
    assigned = own.astype("U10")
    for label, name in enumerate(image_set.class_names):
        rest = order[(image_set.labels[order] == label) & (own[order] == "train")]
        sizes = _sizes(name, len(rest), settings, lacking)
        for part in ("test", "validation"):
            if part in lacking:
                assigned[rest[: sizes[part]]] = part
                rest = rest[sizes[part] :]
    return assigned


def _by_group(
    image_set: ImageSet,
    own: np.ndarray,
    order: np.ndarray,
    lacking: Sequence[str],
    settings: DataConfig,
    groups: np.ndarray,
) -> np.ndarray:
    """The part of each image, [N] of `PARTS`: those that the set lacks are made of whole groups."""
    _check_own_groups(image_set, own, groups)
    assigned = own.astype("U10")
    if not lacking:
        return assigned
    rest = order[own[order] == "train"]
    # Groups in the order of their first images, so that the names decide, and not the order of the files.
    _, first, numbers = np.unique(groups[rest], return_index=True, return_inverse=True)
    ranks = np.argsort(np.argsort(first))[numbers]
    counts = np.zeros((len(first), len(image_set.class_names)), np.int64)
    np.add.at(counts, (ranks, image_set.labels[rest]), 1)
    wanted = {"validation": settings.validation_fraction, "test": settings.test_fraction}
    fractions = {part: wanted[part] for part in lacking}
    parts = ["train", *fractions]
    _check_number_of_groups(counts, image_set.class_names, len(parts))
    found = group_split.divide(counts, [1 - sum(fractions.values()), *fractions.values()])
    assigned[rest] = np.array(parts)[found[ranks]]
    return assigned


def _groups(image_set: ImageSet, settings: DataConfig) -> np.ndarray | None:
    """Numbers of the groups that must stay together, int [N]; None if there are none."""
    keys: list[Sequence[str]] = [image_set.groups] if image_set.groups else []
    if settings.block is not None:
        if image_set.positions is None:
            raise UserError(
                f"--data.block {settings.block:g} needs the places of the images, which {settings.name} does not tell: "
                "give GeoTIFFs with coordinates, or a manifest with columns x and y, or lon and lat"
            )
        keys.append([f"{x} {y}" for x, y in grouping.blocks(image_set.positions, settings.block)])
    return grouping.joined(*keys) if keys else None


def _check_own_groups(image_set: ImageSet, own: np.ndarray, groups: np.ndarray) -> None:
    seen: dict[int, int] = {}
    for at, group in enumerate(groups):
        other = seen.setdefault(int(group), at)
        if own[at] != own[other]:
            name = f"group {image_set.groups[at]!r}" if image_set.groups else "a block"
            raise UserError(
                f"{name} is in two parts of the set's own split: {image_set.files[other]} is in {own[other]}, "
                f"{image_set.files[at]} in {own[at]}: correct the split, or use --data.parts new"
            )


def _check_number_of_groups(counts: np.ndarray, class_names: Sequence[str], parts: int) -> None:
    for name, groups in zip(class_names, (counts > 0).sum(axis=0), strict=True):
        if groups < parts:
            raise UserError(
                f"class {name!r} is in {groups} group{'' if groups == 1 else 's'} to split; at least {parts} are "
                "needed, one for each part: use smaller groups or blocks (--data.block), or remove the class"
            )


def _left_out(image_set: ImageSet, assigned: np.ndarray, settings: DataConfig) -> np.ndarray:
    """Which images are too near to those of another part, bool [N]: of training, and of validation near test."""
    left_out = np.zeros(len(image_set), bool)
    if settings.block is None or image_set.positions is None:
        return left_out
    places, gap = image_set.positions, settings.block_gap
    distance = grouping.neighbor_distance(places) if gap is None else gap
    test, validation = assigned == "test", assigned == "validation"
    left_out[validation] = grouping.near(places[validation], places[test], distance)
    # Validation images that are left out are in no part, so training images may be near them.
    held_out = test | (validation & ~left_out)
    left_out[assigned == "train"] = grouping.near(places[assigned == "train"], places[held_out], distance)
    return left_out


def _without_duplicates(parts: dict[str, ImageSet]) -> ImageSet:
    """The training images without those that are duplicates of others; the log tells how many there are."""
    train = parts["train"]
    found = duplicates.find(train, [parts["validation"], parts["test"]])
    if (summary := found.summary()) is not None:
        logger.info("%s: removed from training", summary)
    kept = train.take(np.flatnonzero(~found.images))
    lost = set(range(len(train.class_names))) - set(kept.labels.tolist())
    if lost:
        name = train.class_names[min(lost)]
        raise UserError(f"--data.deduplicate leaves no training images of class {name!r}: add some, or leave it out")
    return kept


def _check_classes(image_set: ImageSet, assigned: np.ndarray, settings: DataConfig) -> None:
    for part in PARTS:
        held = np.bincount(image_set.labels[assigned == part], minlength=len(image_set.class_names))
        if not held.all():
            name = image_set.class_names[int(np.argmin(held))]
            spatial = "use a smaller --data.block or --data.block-gap, " if settings.block is not None else ""
            raise UserError(f"class {name!r} has no {part} images: {spatial}add some, or use --data.parts new")


def _own_parts(image_set: ImageSet, settings: DataConfig) -> np.ndarray:
    """The part of each image in the set, [N] of `PARTS`; all are `train` if the set is to be split."""
    if settings.parts == "own" and not image_set.parts:
        raise UserError(
            f"--data.parts own: {settings.name} does not come split: give a set with train/ and test/ above its "
            "class folders, a manifest with a column split, or use new"
        )
    if settings.parts == "new" or not image_set.parts:
        return np.full(len(image_set), "train")
    if "train" not in image_set.parts:
        found = " and ".join(part for part in PARTS if part in image_set.parts)
        raise UserError(f"{settings.name} has only {found} images: add its training images, or use --data.parts new")
    return np.array(image_set.parts)


def hash_order(files: tuple[str, ...], seed: int) -> np.ndarray:
    """A random order of images that depends only on their names and the seed: positions, int [N]."""
    hashes = np.empty((len(files), 4), ">u8")  # 32 bytes each, in the order of their bytes
    for words, file in zip(hashes, files, strict=True):
        words[:] = np.frombuffer(hashlib.sha256(_bytes(f"{seed}/{file}")).digest(), ">u8")
    return np.lexsort(hashes.T[::-1])


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
    digest = hashlib.sha256()
    for line in lines:
        digest.update(_bytes(line))
    return digest.hexdigest()


def _bytes(text: str) -> bytes:
    # Python represents file names that are not UTF-8 with lone surrogates.
    return text.encode("utf-8", "surrogateescape")
