"""Images without labels: any images in a folder or zip, whatever its subfolders."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from firmware_export.common.errors import UserError
from firmware_export.images.decode import Decoded, EncodedImage, decode_all
from firmware_export.images.folders import find_images, is_folder_or_zip
from firmware_export.images.image_set import ImageSet
from firmware_export.images.scaling import Scaling
from keras_satkd.data import duplicates, few_labels, reading, remote, scaling
from keras_satkd.data import groups as grouping
from keras_satkd.data.cache import cached
from keras_satkd.data.few_labels import CLASS
from keras_satkd.data.splits import Split
from keras_satkd.settings.data_config import DataConfig


def of_run(settings: DataConfig, divided: Split, scales: Scaling) -> ImageSet | None:
    """The training images whose labels are not used, and those of `data.unlabelled`; None without any.

    Raises:
        UserError: see `load` and `check_apart`; or an image is of a group that is held out.
    """
    if settings.unlabelled is None:
        return divided.hidden
    found = load(settings.unlabelled, settings, scales)
    held_out = [divided.validation, divided.test]
    if settings.group is not None:
        _check_groups(found, held_out, settings.group)
    check_apart(found, held_out)
    return few_labels.joined(divided.hidden, found)


def load(source: str, settings: DataConfig, scales: Scaling | None) -> ImageSet:
    """All images of a folder or zip, as the run's labelled images are read, as 8-bit codes.

    Args:
        source: the folder or zip.
        settings: bands, size, and what to do with images that do not fit.
        scales: how samples become codes; None: decided on these images.

    Returns:
        uint8 images of the class `CLASS`, in the order of their names, which begin with `unlabelled/`.

    Raises:
        UserError: there is no such folder or zip, it has no readable image, or its images have other bands or samples
            than the labelled ones.
    """
    path = Path(os.path.expanduser(remote.local(source, settings.cache_dir)))
    if not path.exists() or not is_folder_or_zip(path):
        raise UserError(f"unlabelled images {source}: no such folder or zip: give one with images, in any subfolders")
    found = find_images(path)
    if not found.readers:
        raise UserError(f"unlabelled images {source}: there are none: give a folder or zip of images")
    images = [EncodedImage(f"{CLASS}/{name}", 0, read) for name, read in sorted(found.readers.items())]
    fingerprint = hashlib.sha256(repr(found.fingerprint).encode()).hexdigest()
    key = {CLASS: os.path.realpath(path), "fingerprint": fingerprint, **reading.key(settings)}

    def decode(target: Path | None) -> Decoded:
        return decode_all(images, len(images), (CLASS,), reading.choose(images, settings), target)

    decoded = cached(key, settings.cache_dir, decode)
    reading.report(decoded, replace(settings, source=source))
    return scaling.scaled(decoded.image_set, scales or scaling.decide(decoded.image_set, settings))


def _check_groups(images: ImageSet, held_out: Sequence[ImageSet], pattern: str) -> None:
    groups = {group for part in held_out for group in part.groups}
    # The pattern may also be a column of a manifest, which unlabelled images lack.
    if groups and (found := grouping.among([name.split("/", 1)[1] for name in images.files], pattern, groups)):
        name, group = found[0]
        raise UserError(
            f"{len(found)} unlabelled images are of groups for validation or testing, such as {name} of the group "
            f"{group!r}: remove them, as the scores would be those of groups that were trained on"
        )


def check_apart(images: ImageSet, held_out: Sequence[ImageSet]) -> None:
    """Check that no unlabelled image is a duplicate of an image that must not be trained on.

    Args:
        images: the unlabelled ones.
        held_out: the validation and the test images, of the same size.

    Raises:
        UserError: some are, exactly or nearly.
    """
    found = duplicates.find(images, held_out)
    if found.example is not None:
        one, other = found.example
        number = int(found.images.sum())
        raise UserError(
            f"{number} unlabelled images are validation or test images too, such as {one} and {other}: remove them, as "
            "the scores would be those of images that were trained on"
        )
