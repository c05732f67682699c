"""The image files of one or several folders, zips or manifests, not yet read."""

import logging
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from firmware_export.common.errors import UserError
from firmware_export.common.paths import shortened
from firmware_export.images.decode import EncodedImage
from keras_satkd.settings.data_config import DataConfig

logger = logging.getLogger("keras_satkd")


@dataclass(frozen=True)
class FoundSet:
    """The image files of a set.

    Attributes:
        images: N images.
        class_names: sorted.
        fingerprint: changes when the files' names, sizes or times, or a manifest, change.
        has_parts: whether each image has its part.
        groups: the group of each image by its name; empty if there are none.
        positions: the place of each image by its name, as in `ImageSet.positions`; empty if they are unknown.
    """

    images: tuple[EncodedImage, ...]
    class_names: tuple[str, ...]
    fingerprint: list[Any]
    has_parts: bool
    groups: Mapping[str, str] = field(default_factory=dict)
    positions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def merged(found: Mapping[Path, FoundSet], settings: DataConfig) -> FoundSet:
    """Several sets as one: classes of the same name become one, and a class that a set lacks is logged.

    The names of the images begin with the name of their folder, zip or manifest.

    Raises:
        UserError: some sets have parts, groups or places, and others do not.
    """
    ignored = "has_parts" if settings.parts == "new" else None
    for what in _ALL_OR_NONE.keys() - {ignored}:
        with_it = [path for path, each in found.items() if getattr(each, what)]
        without = [path for path in found if path not in with_it]
        if with_it and without:
            meant, remedy = _ALL_OR_NONE[what]
            raise UserError(f"{with_it[0]} {meant}, {without[0]} does not: {remedy}")
    class_names = tuple(sorted({name for each in found.values() for name in each.class_names}))
    _tell_absent_classes(found, class_names)
    has_parts = all(each.has_parts for each in found.values())
    images: list[EncodedImage] = []
    groups: dict[str, str] = {}
    positions: dict[str, tuple[float, ...]] = {}
    for path, each in found.items():
        prefix = shortened(path, list(found)).strip("/") + "/"
        labels = [class_names.index(name) for name in each.class_names]
        images += [
            replace(image, file=prefix + image.file, label=labels[image.label], part=image.part if has_parts else None)
            for image in each.images
        ]
        groups |= {prefix + file: group for file, group in each.groups.items()}
        positions |= {prefix + file: place for file, place in each.positions.items()}
    fingerprint = [has_parts, *(each.fingerprint for each in found.values())]
    return FoundSet(tuple(images), class_names, fingerprint, has_parts, groups, positions)


_ALL_OR_NONE = {
    "has_parts": ("comes split", "use --data.parts new, or give sets that all come split"),
    "groups": ("has groups", "use --data.group none, or give sets that all have groups"),
    "positions": ("has coordinates", "leave out --data.block, or give sets that all have coordinates"),
}


def _tell_absent_classes(found: Mapping[Path, FoundSet], class_names: Sequence[str]) -> None:
    for path, each in found.items():
        absent = [name for name in class_names if name not in each.class_names]
        if absent:
            shown = ", ".join(absent[:10]) + (f" and {len(absent) - 10} more" if len(absent) > 10 else "")
            logger.warning("%s has no images of %d of %d classes: %s", path, len(absent), len(class_names), shown)


def check_classes(found: Sequence[str], given: Sequence[str], source: str) -> None:
    """Check the classes that were found against those that were asked for, if any; warn of names that look alike.

    Raises:
        UserError: one of them is not among the others.
    """
    if given:
        for names, others, what in ((found, given, "is not among"), (given, found, "of --data.classes has no images;")):
            unknown = [name for name in names if name not in others]
            if unknown:
                listed = ", ".join(sorted(others))
                raise UserError(
                    f"{source}: class {unknown[0]!r} {what} {listed}: correct the labels, or --data.classes"
                )
    seen: dict[str, str] = {}
    for name in found:
        other = seen.setdefault(_spelled_alike(name), name)
        if other != name:
            logger.warning(
                "%s: classes %s and %s differ only in their spelling: if they are one, rename one",
                source,
                ascii(other),
                ascii(name),
            )


def _spelled_alike(name: str) -> str:
    """The same for names that differ in case, in how accents are encoded, or in how a number is written (1, 1.0)."""
    plain = unicodedata.normalize("NFKC", name).casefold().strip()
    try:
        return repr(float(plain))
    except ValueError:
        return plain
