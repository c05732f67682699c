"""Loading of any data set, and its split into three disjoint parts.

    image_set = data.load(settings)
    parts = data.split(image_set, settings)
    parts.train.images  # uint8 [N, H, W, 3]

A source is resolved in this order: `synthetic`; an existing folder, zip, manifest or `.npz`; a TFDS name. Several
folders, zips, manifests and `.npz` files are merged.
"""

import hashlib
import inspect
import logging
import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.paths import looks_like_path
from firmware_export.images import folders
from firmware_export.images.decode import Decoded, decode_all
from firmware_export.images.image_set import ImageSet
from firmware_export.images.reading import place_of_tile
from keras_satkd.data import places, reading, remote, synthetic, synthetic_drawing
from keras_satkd.data.array_set import is_array_set, open_array_set
from keras_satkd.data.cache import cached
from keras_satkd.data.found import FoundSet, check_classes, merged
from keras_satkd.data.groups import by_pattern
from keras_satkd.data.manifest import NO_GROUPS, open_manifest
from keras_satkd.data.splits import Split, split
from keras_satkd.data.tables import is_table
from keras_satkd.settings.data_config import DataConfig

__all__ = ["ImageSet", "Split", "load", "split"]

logger = logging.getLogger("keras_satkd")

SYNTHETIC = "synthetic"

_SINGLE_BAND = re.compile(r"(?:^|[/_.-])(B(?:0?[1-9]|1[0-2]|8A))(?:_\d+m)?\.\w+$", re.IGNORECASE)
"""The name of a file that has one band of Sentinel-2 or Landsat."""


def load(settings: DataConfig) -> ImageSet:
    """The images of `settings.source`, decoded to `settings.image_size`, from the cache if they were decoded before.

    Those in object storage are copied to this machine first (`remote`).

    Raises:
        UserError: a source does not exist, is empty or damaged, or cannot be downloaded; there is no class, only one,
            or others than `settings.classes`; with `settings.strict`, an image is unreadable.
    """
    if not settings.sources:
        raise UserError(f"--data names no images: give a folder, a zip, a manifest, a .npz, a TFDS name or {SYNTHETIC}")
    settings = _here(settings)
    if len(settings.sources) > 1:
        decoded = _load_files(settings)
    elif settings.sources[0] == SYNTHETIC:
        decoded = _checked(_load_synthetic(settings), settings)
    elif os.path.exists(os.path.expanduser(settings.sources[0])):
        decoded = _load_files(settings)
    elif looks_like_path(settings.sources[0]):
        raise _not_found(settings.sources[0])
    else:
        # TensorFlow takes seconds to import, and only TFDS needs it.
        from keras_satkd.data import tfds

        decoded = _checked(tfds.load(settings), settings)
    reading.report(decoded, settings)
    image_set = decoded.image_set
    return replace(image_set, groups=_groups(image_set, settings))


def _checked(decoded: Decoded, settings: DataConfig) -> Decoded:
    check_classes(decoded.image_set.class_names, settings.classes, settings.name)
    return decoded


def _here(settings: DataConfig) -> DataConfig:
    """The settings with copies on this machine in place of URLs."""
    sources = tuple(remote.local(source, settings.cache_dir) for source in settings.sources)
    return settings if sources == settings.sources else replace(settings, source=sources)


def _groups(image_set: ImageSet, settings: DataConfig) -> tuple[str, ...]:
    """The groups of the set; else those that a pattern finds; else the tiles of an image are a group."""
    if settings.group == NO_GROUPS or image_set.groups:
        return image_set.groups
    files = [place_of_tile(name)[0] for name in image_set.files]
    if settings.group is not None:
        return by_pattern(files, settings.group)
    if settings.tile is None or settings.block is not None:
        return ()
    logger.info(
        "%s: the tiles of an image are neighbors and stay in one part: --data.block divides images by area, "
        "--data.group none by tile",
        settings.name,
    )
    return tuple(files)


def _not_found(source: str) -> UserError:
    return UserError(
        f"--data {source}: no such folder or zip: give the path of an image folder, of a zip file of one, of a "
        f"manifest (.csv, .parquet) or of arrays (.npz), a TFDS name (eurosat/rgb) or {SYNTHETIC}"
    )


def _load_files(settings: DataConfig) -> Decoded:
    found = _found(settings)
    if len(found.class_names) < 2:
        raise UserError(f"{settings.name} has images of only one class ({found.class_names[0]!r}): give at least two")
    check_classes(found.class_names, settings.classes, settings.name)
    _refuse_single_bands(found, settings)
    fingerprint = hashlib.sha256(repr(found.fingerprint).encode()).hexdigest()
    sources = [os.path.realpath(os.path.expanduser(source)) for source in settings.sources]
    key = {"source": sources, "fingerprint": fingerprint, **reading.key(settings)}

    def decode(target: Path | None) -> Decoded:
        how = reading.choose(found.images, settings)
        return decode_all(found.images, len(found.images), found.class_names, how, target)

    decoded = cached(key, settings.cache_dir, decode)
    files = [place_of_tile(file)[0] for file in decoded.image_set.files]
    groups = tuple(found.groups[file] for file in files) if found.groups else ()
    positions = np.array([found.positions[file] for file in files]) if found.positions else None
    if positions is None and settings.block is not None:
        positions = places.positions(found.images, decoded.image_set.files, settings)
    _tell_of_coordinates(found, settings)
    return replace(decoded, image_set=replace(decoded.image_set, groups=groups, positions=positions))


def _refuse_single_bands(found: FoundSet, settings: DataConfig) -> None:
    """Refuse a set in which each file is a band of an image: each would be taken for an image."""
    bands = [_SINGLE_BAND.search(image.file) for image in found.images]
    names = sorted({match[1] for match in bands if match})
    if len(names) > 1 and all(bands):
        raise UserError(
            f"{settings.name}: the files are single bands ({', '.join(names[:4])}), such as {found.images[0].file}: "
            "stack the bands of an image in one GeoTIFF or .npy"
        )


def _tell_of_coordinates(found: FoundSet, settings: DataConfig) -> None:
    """Images with coordinates may be neighbors, which an ordinary split puts into different parts."""
    is_split_by_image = settings.block is None and settings.group is None and settings.tile is None
    if not is_split_by_image or found.groups or (found.has_parts and settings.parts != "new"):
        return
    grid = places.grid_of(found.images[0])
    if grid is not None:
        logger.warning(
            "%s: the images have coordinates (%s), and neighbors may be in different parts: --data.block SIDE, in %s, "
            "keeps the images of an area in one part",
            settings.name,
            grid.system,
            "kilometers" if grid.is_in_degrees else "the unit of the coordinates",
        )


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
        elif is_array_set(path):
            found[path] = open_array_set(path, settings)
        elif path.is_file() and path.suffix.lower() != ".zip" and not zipfile.is_zipfile(path):
            raise UserError(
                f"--data {source} is no zip, no manifest (.csv, .parquet) and no data set of arrays (.npz): give one "
                "of these or a folder; unpack other archives"
            )
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
        lambda target: Decoded(
            synthetic.scenes(settings.synthetic_images, settings.seed, settings.image_size),
            unreadable=(),
            sizes={size: settings.synthetic_images},
        ),
    )
