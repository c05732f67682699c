"""A whole data set in one `.npz` file: the arrays `images` and `labels`, and optionally names, parts and groups."""

import functools
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.images.arrays import check_sizes, rows_in_archive
from firmware_export.images.decode import EncodedImage
from firmware_export.images.layout import assigns_parts, part_of
from firmware_export.images.samples import Samples, of_array
from keras_satkd.data.found import FoundSet
from keras_satkd.data.manifest import NO_GROUPS
from keras_satkd.settings.data_config import DataConfig

_OPTIONAL = ("class_names", "split", "groups")
_COLORS = (1, 3)

LARGEST_LABEL = 99_999
"""Larger numbers are no classes, but values such as -1 in an unsigned type."""


def is_array_set(path: Path) -> bool:
    """Whether a path is one of a `.npz` file."""
    return path.suffix.lower() == ".npz" and path.is_file()


def open_array_set(path: Path, settings: DataConfig) -> FoundSet:
    """The images of a `.npz` file. Their names are their numbers, such as `00012`.

    Args:
        path: a file with `images` [N, H, W], [N, H, W, B] or [N, B, H, W] of whole or real numbers, and `labels`: [N]
            or [N, 1] positions in `class_names` or names, or [N, C] of one 1 a row. Optional: `class_names`, C texts;
            without them, the classes are called by their numbers. `split` and `groups`, N texts or whole numbers.
        settings: whether the set's own parts and groups are used.

    Raises:
        UserError: the file is damaged, lacks an array, or has one of another shape, length or kind.
    """
    found = _loaded(path, settings)
    images = _number_of_images(path, found["images"])
    names, labels = _classes(path, found["labels"], found.get("class_names"), images)
    split = None if settings.parts == "new" else found.get("split")
    own_groups = None if settings.group == NO_GROUPS else found.get("groups")
    parts: list[str | None] = [None] * images if split is None else _parts(path, _texts(path, "split", split, images))
    groups = None if own_groups is None else _texts(path, "groups", own_groups, images)
    files = [f"{at:0{len(str(images - 1))}}" for at in range(images)]
    used = np.unique(labels)
    position = {int(label): at for at, label in enumerate(sorted(used, key=lambda label: names[label]))}
    status = path.stat()
    return FoundSet(
        tuple(
            EncodedImage(file, position[int(label)], functools.partial(_image, found["images"], at), part)
            for at, (file, label, part) in enumerate(zip(files, labels, parts, strict=True))
        ),
        tuple(sorted(names[label] for label in used)),
        [status.st_size, status.st_mtime_ns, settings.parts == "new"],
        has_parts=split is not None,
        groups={} if groups is None else dict(zip(files, groups, strict=True)),
    )


def _loaded(path: Path, settings: DataConfig) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            missing = [name for name in ("images", "labels") if name not in saved]
            if missing:
                listed = ", ".join(saved.files[:5]) or "none"
                raise UserError(
                    f"{path} has no array {missing[0]!r} (found: {listed}): save a data set with "
                    "numpy.savez(path, images=…, labels=…), or single images as .npy in class folders"
                )
            if settings.parts != "new" and "split" not in saved:
                _refuse_unnamed_parts(path, saved.files)
            names = ["images", "labels", *(name for name in _OPTIONAL if name in saved)]
            rows = rows_in_archive(path, "images")
            loaded = names if rows is None else names[1:]
            check_sizes(path, loaded)
            found = {name: saved[name] for name in loaded}
            return found if rows is None else {**found, "images": cast(np.ndarray, rows)}
    except (ValueError, OSError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is not a readable .npz file ({error}): save it again with numpy.savez") from None


def _refuse_unnamed_parts(path: Path, names: Sequence[str]) -> None:
    for name in filter(assigns_parts, names):
        raise UserError(
            f"{path} has parts in its array {name!r}: save it as 'split', with texts train, validation and test, or "
            "split anew with --data.parts new"
        )


def _number_of_images(path: Path, images: np.ndarray) -> int:
    if images.ndim not in (3, 4) or images.dtype.kind not in "uif" or not images.size:
        raise UserError(
            f"{path}: images are {images.dtype} {list(images.shape)}, numbers [N, height, width, bands] expected: save "
            "them so"
        )
    return len(images)


def _image(images: np.ndarray, at: int) -> Samples:
    found = of_array(images[at])
    is_picture = found.pixels.dtype == np.uint8 and found.bands in _COLORS
    return Samples(found.pixels, is_picture)


def _classes(
    path: Path, labels: np.ndarray, class_names: np.ndarray | None, images: int
) -> tuple[list[str], np.ndarray]:
    """All names of classes, and the position of each image's class among them."""
    if labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind in "buif":
        is_one_hot = ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()
        if not is_one_hot:
            raise UserError(f"{path}: labels are {list(labels.shape)} but not one 1 in each row: give one label each")
        labels = labels.argmax(axis=1)
    if labels.shape == (images, 1):
        labels = labels[:, 0]
    if labels.shape != (images,):
        raise UserError(f"{path} has {images} images and labels {list(labels.shape)}: give one label for each image")
    if labels.dtype.kind in "SU":
        texts = _texts(path, "labels", labels, images)
        names = sorted(set(texts)) if class_names is None else _names(path, class_names)
        unknown = [text for text in texts if text not in names]
        if unknown:
            raise UserError(f"{path}: label {unknown[0]!r} is not among its class_names: correct one of both")
        return names, np.array([names.index(text) for text in texts], np.intp)
    _check_numbers(path, labels)
    whole, largest = labels.astype(np.intp), int(labels.max())
    if class_names is None:
        return [f"{label:0{len(str(largest))}}" for label in range(largest + 1)], whole
    names = _names(path, class_names)
    if largest >= len(names):
        raise UserError(f"{path}: label {largest} found, but it has {len(names)} class_names: labels count from 0")
    return names, whole


def _check_numbers(path: Path, labels: np.ndarray) -> None:
    """Refuse labels that are not whole numbers from 0 to `LARGEST_LABEL`."""
    if labels.dtype.kind not in "buif":
        wrong = f"labels are {labels.dtype}"
    elif (are_wrong := ~((labels >= 0) & (labels <= LARGEST_LABEL) & (labels == np.floor(labels)))).any():
        wrong = f"label {labels[are_wrong][0]} found"
    else:
        return
    raise UserError(
        f"{path}: {wrong}, whole numbers from 0 to {LARGEST_LABEL} or names expected: correct the labels, or give names"
    )


def _names(path: Path, class_names: np.ndarray) -> list[str]:
    names = _texts(path, "class_names", class_names, class_names.size)
    if len(set(names)) < len(names) or not all(names):
        raise UserError(f"{path}: class_names has an empty name or one twice: give each class a name of its own")
    return names


def _texts(path: Path, name: str, values: np.ndarray, number: int) -> list[str]:
    """Texts or whole numbers as texts."""
    if values.shape != (number,) or values.dtype.kind not in "SUbiu":
        raise UserError(
            f"{path}: {name} is {values.dtype} {list(values.shape)}, texts [{number}] expected: save an array of str"
        )
    try:
        return [value.decode() if isinstance(value, bytes) else str(value).strip() for value in values.tolist()]
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: {name} has {error.object!r}, which is not UTF-8: save an array of str") from None


def _parts(path: Path, names: Sequence[str]) -> list[str | None]:
    unknown = [name for name in names if part_of(name) is None]
    if unknown:
        raise UserError(
            f"{path}: split has {unknown[0]!r}, which is no part: use train, validation and test, or --data.parts new"
        )
    return [part_of(name) for name in names]
