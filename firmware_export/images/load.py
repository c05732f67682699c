"""The images of a model's verification and validation, at the size of its input."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.images import arrays, folders
from firmware_export.images.decode import EncodedImage, count_unreadable, decode_all

logger = logging.getLogger("firmware_export")


def load_images(path: Path, shape: tuple[int, ...], count: int) -> np.ndarray:
    """Read images evenly spread over a file or folder.

    An unreadable image is replaced by another one and counted in a warning.

    Args:
        path: a `.npy` with uint8 [N, …shape] (or int8: the model's codes), or a folder, searched recursively, or a zip
            of one.
        shape: one image, without the batch: height, width, channels.
        count: how many to take at most, evenly spread in the order of the file or of sorted names.

    Returns:
        uint8 (or int8) [count or fewer, …shape].

    Raises:
        UserError: nothing there, images of another kind, or fewer than `count` because some are unreadable.
    """
    if not folders.is_folder_or_zip(path):
        if path.suffix.lower() != ".npy":
            raise UserError(f"images {str(path)!r} is neither a folder, a zip nor a .npy file: give one of the three")
        saved = arrays.load_array(path, shape)
        return np.array(saved[_spread(len(saved), count)])
    size = _image_shape(shape)
    found = folders.find_images(path)
    if not found.readers:
        raise UserError(f"{path} holds no images: give a folder of JPEG, PNG or TIFF files, a zip of one or a .npy")
    images = [EncodedImage(name, 0, found.readers[name]) for name in sorted(found.readers)]
    spread = _spread(len(images), count).tolist()
    rest = sorted(set(range(len(images))) - set(spread))
    return _decode_first([images[index] for index in (*spread, *rest)], size, count, path)


def load_labelled(
    path: Path, shape: tuple[int, ...], class_names: Sequence[str], outputs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Read all images of a file or folder with their classes.

    Unreadable images are left out and counted in a warning.

    Args:
        path: a `.npz` with `images`, uint8 [N, …shape] (or int8: the model's codes), and `labels`, int [N]; or a folder
            with one subfolder a class, named as in `class_names`, or a zip of one.
        shape: one image, without the batch.
        class_names: in output order; may be empty for a `.npz`, and for a folder if its subfolders' sorted names are
            the classes in output order.
        outputs: how many classes the model tells apart.

    Returns:
        uint8 (or int8) [N, …shape] and int64 [N].

    Raises:
        UserError: nothing there, images of another kind, none that is readable, a subfolder that is no class, or other
            images beside those of validation.
    """
    if not folders.is_folder_or_zip(path):
        if path.suffix.lower() != ".npz":
            raise UserError(
                f"labelled images {str(path)!r} are neither a folder, a zip nor a .npz file: give one of the three"
            )
        return arrays.load_labelled_arrays(path)
    size = _image_shape(shape)
    found = folders.open_images(path)
    if found.parts:
        raise UserError(
            f"labelled images {str(path)!r} come divided ({', '.join(found.parts)}): give the part that trained nothing"
        )
    outputs_of = _outputs_of(found.class_names, class_names, outputs, path)
    decoded = decode_all(found.images, len(found.images), found.class_names, size)
    if decoded.unreadable:
        problem = count_unreadable(decoded.unreadable)
        if not len(decoded.image_set):
            raise UserError(f"{path}: no readable image, {problem}; give images that Pillow opens")
        logger.warning("%s: %s; skipped", path, problem)
    return decoded.image_set.images, outputs_of[decoded.image_set.labels]


def _outputs_of(found: Sequence[str], class_names: Sequence[str], outputs: int, path: Path) -> np.ndarray:
    """The output of each class that has a folder: int64."""
    if not class_names and len(found) != outputs:
        raise UserError(
            f"labelled images {str(path)!r} are of {len(found)} classes, the model tells {outputs} apart: name them in "
            "output order with --class-names"
        )
    names = list(class_names or found)
    strange = [name for name in found if name not in names]
    if strange:
        raise UserError(
            f"labelled images {str(path)!r} hold {strange[0]!r}, which is no class: give one subfolder a class, of "
            f"{', '.join(names)}"
        )
    return np.array([names.index(name) for name in found], np.int64)


def _image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise UserError(f"the model reads {list(shape)}, no image of 1 or 3 channels: give arrays of that shape")
    height, width, channels = shape
    return height, width, channels


def _spread(available: int, count: int) -> np.ndarray:
    return np.linspace(0, available - 1, min(available, count)).round().astype(int)


def _decode_first(images: Sequence[EncodedImage], shape: tuple[int, int, int], count: int, path: Path) -> np.ndarray:
    """The first `count` readable images."""
    batches: list[np.ndarray] = []
    unreadable: list[str] = []
    tried = readable = 0
    while readable < count and tried < len(images):
        batch = images[tried : tried + count - readable]
        decoded = decode_all(batch, len(batch), (), shape)
        batches.append(decoded.image_set.images)
        unreadable += decoded.unreadable
        tried += len(batch)
        readable += len(decoded.image_set)
    if unreadable:
        problem = count_unreadable(unreadable)
        if readable < count:
            raise UserError(f"{path}: {problem}; {readable} readable, {count} needed: mend them or give more")
        logger.warning("%s: %s; skipped", path, problem)
    return np.concatenate(batches)
