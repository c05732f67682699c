"""Cache of decoded images: a `.npy` file and a `.json` file that describes it.

The images are written as they are decoded, and read as `on_disk.opened` does: no set needs to fit in memory.
"""

import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.common import digests, on_disk
from firmware_export.images.decode import Decoded
from firmware_export.images.image_set import Bands, ImageSet

logger = logging.getLogger("keras_satkd")

# Increase it when decoding changes, so that older entries are no longer used.
_FORMAT = 5


def cached(key: dict[str, Any], cache_dir: str | None, make: Callable[[Path | None], Decoded]) -> Decoded:
    """The result of `make` from the cache, or from a call if it is not there yet; its images as `on_disk.opened`.

    A damaged entry is replaced. If the folder cannot be written, the images stay in memory, with a warning.

    Args:
        key: everything that the decoded images depend on, in values that JSON supports.
        cache_dir: folder of the cache; `$XDG_CACHE_HOME/keras_satkd` or `~/.cache/keras_satkd` if not given.
        make: decodes the images into a `.npy` file, or into memory without one. Images that it has in memory anyway
            need not be written.
    """
    text = json.dumps({"format": _FORMAT, **key}, sort_keys=True)
    entry = cache_folder(cache_dir) / hashlib.sha256(text.encode()).hexdigest()[:32]
    try:
        return _read(entry)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, RecursionError) as error:
        logger.warning("decoded images in %s.npy are damaged (%s): decoding again", entry, error)
    try:
        _write(entry, make)
        return _read(entry)
    except OSError as error:
        logger.warning("decoded images cannot be cached for the next run, and stay in memory: %s", error)
        return make(None)


def cache_folder(cache_dir: str | None) -> Path:
    """`cache_dir`, or `keras_satkd` in the user's cache folder if it is not given."""
    if cache_dir is not None:
        return Path(cache_dir).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "keras_satkd"


def _write(entry: Path, make: Callable[[Path | None], Decoded]) -> None:
    made: list[Decoded] = []

    def save(path: Path) -> None:
        decoded = make(path)
        images = decoded.image_set.images
        if on_disk.rows_of(images) is None:
            np.save(path, images)
        # Its images are those of the entry from now on: the file is moved there.
        made.append(replace(decoded, image_set=replace(decoded.image_set, images=images[:0])))

    digests.write_with(entry.with_suffix(".npy"), save)
    [decoded] = made
    image_set = decoded.image_set
    description = {
        "class_names": image_set.class_names,
        "sizes": decoded.sizes,
        "unreadable": decoded.unreadable,
        "transparent": decoded.transparent,
        "bands": None if image_set.bands is None else dataclasses.asdict(image_set.bands),
        "labels": image_set.labels.tolist(),
        "files": image_set.files,
        "parts": image_set.parts,
    }
    # Written last, because an entry counts as complete once its description exists.
    digests.write_text(entry.with_suffix(".json"), json.dumps(description))


def _read(entry: Path) -> Decoded:
    for suffix in (".json", ".npy"):
        if not digests.is_whole(entry.with_suffix(suffix)):
            raise ValueError(f"the SHA-256 of the {suffix} file differs")
    description = json.loads(entry.with_suffix(".json").read_text(encoding="utf-8"))
    images = on_disk.opened(entry.with_suffix(".npy"))
    labels = np.array(description["labels"], np.int32)
    names = tuple(description["files"])
    parts = tuple(description["parts"])
    numbers = {len(images), len(labels), len(names), len(parts) or len(names)}
    if images.dtype not in (np.uint8, np.uint16, np.float32) or images.ndim != 4 or len(numbers) > 1:
        raise ValueError("the images do not match their description")
    classes, bands = tuple(description["class_names"]), _bands(description["bands"])
    image_set = ImageSet(images, labels, names, classes, parts, bands=bands)
    unreadable, sizes = tuple(description["unreadable"]), dict(description["sizes"])
    return Decoded(image_set, unreadable, sizes, int(description["transparent"]))


def _bands(described: dict[str, Any] | None) -> Bands | None:
    if described is None:
        return None
    return Bands(tuple(described["names"]), tuple(described["positions"]), int(described["of"]))
