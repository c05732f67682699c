"""Loading of any data set, and its split into three disjoint parts.

    image_set = data.load(settings)
    parts = data.split(image_set, settings)
    parts.train.images  # uint8 [N, H, W, 3]

A source is resolved in this order: `synthetic`; an existing folder, zip file or manifest; a TFDS name. Several folders,
zips and manifests are merged.
"""

import hashlib
import inspect
import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from firmware_export.common import limits
from firmware_export.common.errors import UserError
from firmware_export.common.paths import looks_like_path
from firmware_export.images import folders
from firmware_export.images.decode import Decoded, count_unreadable, decode_all
from firmware_export.images.image_set import ImageSet
from keras_satkd.data import reading, synthetic, synthetic_drawing
from keras_satkd.data.cache import cached
from keras_satkd.data.found import FoundSet, check_classes, file_of, merged
from keras_satkd.data.groups import by_pattern
from keras_satkd.data.manifest import NO_GROUPS, open_manifest
from keras_satkd.data.splits import Split, split
from keras_satkd.data.tables import is_table
from keras_satkd.data_config import DataConfig

__all__ = ["ImageSet", "Split", "load", "split"]

logger = logging.getLogger("keras_satkd")

SYNTHETIC = "synthetic"


def load(settings: DataConfig) -> ImageSet:
    """The images of `settings.source`, decoded to `settings.image_size`, from the cache if they were decoded before.

    Raises:
        UserError: a source does not exist, is empty or damaged, or cannot be downloaded; there is no class, only one,
            or others than `settings.classes`; with `settings.strict`, an image is unreadable.
    """
    if not settings.sources:
        raise UserError(f"--data names no images: give a folder, a zip, a manifest, a TFDS name or {SYNTHETIC}")
    if len(settings.sources) > 1:
        decoded = _load_files(settings)
    elif settings.sources[0] == SYNTHETIC:
        decoded = _load_synthetic(settings)
    elif os.path.exists(os.path.expanduser(settings.sources[0])):
        decoded = _load_files(settings)
    elif looks_like_path(settings.sources[0]):
        raise _not_found(settings.sources[0])
    else:
        # TensorFlow takes seconds to import, and only TFDS needs it.
        from keras_satkd.data import tfds

        decoded = tfds.load(settings)
    _report(decoded, settings)
    image_set = decoded.image_set
    check_classes(image_set.class_names, settings.classes, settings.name)
    if settings.group in (None, NO_GROUPS) or image_set.groups:
        return image_set
    return replace(image_set, groups=by_pattern(image_set.files, str(settings.group)))


def _not_found(source: str) -> UserError:
    return UserError(
        f"--data {source}: no such folder or zip: give the path of an image folder, of a zip file of one or of a "
        f"manifest (.csv, .parquet), a TFDS name (eurosat/rgb) or {SYNTHETIC}"
    )


def _load_files(settings: DataConfig) -> Decoded:
    found = _found(settings)
    if len(found.class_names) < 2:
        raise UserError(f"{settings.name} has images of only one class ({found.class_names[0]!r}): give at least two")
    check_classes(found.class_names, settings.classes, settings.name)
    fingerprint = hashlib.sha256(repr(found.fingerprint).encode()).hexdigest()
    sources = [os.path.realpath(os.path.expanduser(source)) for source in settings.sources]
    key = {"source": sources, "fingerprint": fingerprint, **reading.key(settings)}
    if not limits.is_default(limits.IMAGE):  # it decides which images are readable
        key["largest_image"] = limits.limit(limits.IMAGE)

    def decode() -> Decoded:
        how = reading.choose(found.images, settings)
        return decode_all(found.images, len(found.images), found.class_names, how)

    decoded = cached(key, settings.cache_dir, decode)
    files = [file_of(file) for file in decoded.image_set.files]
    groups = tuple(found.groups[file] for file in files) if found.groups else ()
    positions = np.array([found.positions[file] for file in files]) if found.positions else None
    return replace(decoded, image_set=replace(decoded.image_set, groups=groups, positions=positions))


def _found(settings: DataConfig) -> FoundSet:
    """The image files of all folders, zips and manifests."""
    found: dict[Path, FoundSet] = {}
    for source in settings.sources:
        path = Path(os.path.expanduser(source))
        if not source or not path.exists():
            raise _not_found(source)
        if path in found:
            raise UserError(f"--data names {source} twice: leave one out")
        if path.is_file() and is_table(path):
            found[path] = open_manifest(path, settings)
        else:
            each = folders.open_images(path, least_classes=1 if len(settings.sources) > 1 else 2)
            found[path] = FoundSet(each.images, each.class_names, each.fingerprint, has_parts=bool(each.parts))
    return next(iter(found.values())) if len(found) == 1 else merged(found, settings)


def _load_synthetic(settings: DataConfig) -> Decoded:
    # The source code that draws is part of the key, so images drawn by an older version are not used.
    texts = [inspect.getsource(module).encode() for module in (synthetic, synthetic_drawing)]
    drawing = hashlib.sha256(b"".join(texts)).hexdigest()
    key = {"source": SYNTHETIC, "drawing": drawing, "seed": settings.seed}
    key |= {"images": settings.synthetic_images, "image_size": settings.image_size}
    size = f"{settings.image_size}x{settings.image_size}"
    return cached(
        key,
        settings.cache_dir,
        lambda: Decoded(
            synthetic.scenes(settings.synthetic_images, settings.seed, settings.image_size),
            unreadable=(),
            sizes={size: settings.synthetic_images},
        ),
    )


def _report(decoded: Decoded, settings: DataConfig) -> None:
    """Report unreadable images, changes of size, and what was left out of pictures."""
    if decoded.unreadable:
        found = count_unreadable(decoded.unreadable)
        if settings.strict:
            raise UserError(f"{settings.name}: {found}: repair or remove them, or omit --data.strict")
        if not len(decoded.image_set):
            raise UserError(f"{settings.name}: no readable image, {found}: give images that Pillow can open")
        logger.warning("%s: %s; skipped", settings.name, found)
    if (changed := reading.changed_sizes(decoded, settings)) is not None:
        logger.warning("%s", changed)
    if decoded.transparent:
        logger.warning(
            "%s: %d pictures have a fourth channel, which is not used, as it is transparency: if it is a band, such as "
            "near infrared, give --data.bands 1 2 3 4",
            settings.name,
            decoded.transparent,
        )
