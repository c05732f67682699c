"""Load the images to verify and validate a model, resized to its input and scaled to its 8-bit codes."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.steps import step
from firmware_export.images import arrays, folders, reading
from firmware_export.images.decode import Decoded, EncodedImage, count_unreadable, decode_all, first_samples
from firmware_export.images.image_set import Bands
from firmware_export.images.reading import Reading
from firmware_export.images.scaling import LARGEST, Scaling, full_range

logger = logging.getLogger("firmware_export")


UNLABELLED = -1

_SLIVER = 16
"""Without a scaling, 16-bit images whose largest sample is below this part of the range are refused: 12 bits, say."""


def load_images(path: Path, shape: tuple[int, ...], count: int, scaling: Scaling | None = None) -> np.ndarray:
    """The images of `load_images_and_labels`, without labels."""
    return load_images_and_labels(path, shape, count, (), 0, scaling)[0]


@step("reading the images")
def load_images_and_labels(
    path: Path,
    shape: tuple[int, ...],
    count: int,
    class_names: Sequence[str],
    outputs: int,
    scaling: Scaling | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read images that are evenly spread over a file or folder, and their classes if their folders name them.

    An unreadable image is replaced by another one; a warning states how many.

    Args:
        path: a `.npy`, or a `.npz` with `images`: uint8 [N, …shape] (or int8: the model's codes; or samples for
            `scaling`); or a folder, searched recursively, or a zip of one.
        shape: one image, without the batch: height, width, channels.
        count: maximum number of images, evenly spread in the order of the file or of the sorted names.
        class_names: in output order; may be empty.
        outputs: the model's number of classes.
        scaling: of the run that made the model; None: 8-bit images, or the full range of 16 bits.

    Returns:
        The images, uint8 (or int8) [count or fewer, …shape]; and their labels, int64 [N], if a folder is one of
        `class_names`, in any case, or without these, if the images are in as many folders as the model has outputs.
        The label of an image that is in no such folder is `UNLABELLED`; a warning names its folder.

    Raises:
        UserError: `path` does not exist or has no images, an array has another type or shape, or fewer than `count`
            images are readable because some are damaged.
    """
    if not folders.is_folder_or_zip(path):
        if path.suffix.lower() not in (".npy", ".npz"):
            raise UserError(f"images {str(path)!r} is not a folder, a zip, a .npy or a .npz file: give one of these")
        saved = arrays.load_array(path, shape, scaling)
        chosen = np.array(saved[_spread(len(saved), count)])
        return _codes_of_array(chosen, scaling), None
    _check_shape(shape)
    found = folders.find_images(path)
    if not found.readers:
        raise UserError(
            f"{path} contains no images: give a folder of JPEG, PNG or TIFF files, a zip of one, a .npy or a .npz"
        )
    label_of = _labels(sorted(found.readers), class_names, outputs, path)
    images = [EncodedImage(name, label_of.get(name, UNLABELLED), found.readers[name]) for name in sorted(found.readers)]
    spread = _spread(len(images), count).tolist()
    rest = sorted(set(range(len(images))) - set(spread))
    ordered = [images[index] for index in (*spread, *rest)]
    decoded, labels = _decode_first(ordered, _reading(ordered, shape, scaling), count, path)
    return _codes(decoded, scaling, path), labels if label_of else None


def _labels(files: Sequence[str], class_names: Sequence[str], outputs: int, path: Path) -> dict[str, int]:
    """The class of each file by the innermost of its folders that is one; empty if no folder is."""
    parents = {file: file.split("/")[-2::-1] for file in files}
    if not class_names:
        innermost = sorted({names[0] if names else "" for names in parents.values()})
        class_names = innermost if len(innermost) == outputs else ()
    output_of = {name.casefold(): output for output, name in enumerate(class_names)}
    output_of |= {name: output for output, name in enumerate(class_names)}
    found = {}
    for file, names in parents.items():
        known = [each for name in names for each in (name, name.casefold()) if each in output_of]
        if known:
            found[file] = output_of[known[0]]
    if found and len(found) < len(files):
        outside = sorted({file.rpartition("/")[0] for file in files if file not in found})
        logger.warning(
            "%s: %s is no class (%s): its images are not labelled",
            path,
            outside[0] or "its root",
            ", ".join(class_names),
        )
    return found


@step("reading the labelled images")
def load_labelled(
    path: Path, shape: tuple[int, ...], class_names: Sequence[str], outputs: int, scaling: Scaling | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read all images of a file or folder, with their classes.

    Unreadable images are left out; a warning states how many.

    Args:
        path: a `.npz` with `images`, uint8 [N, …shape] (or int8: the model's codes), and `labels`, int [N]; or a folder
            with one subfolder per class, named as in `class_names`, or a zip of one.
        shape: one image, without the batch.
        class_names: in output order; may be empty for a `.npz`, and for a folder whose sorted subfolder names are the
            classes in output order.
        outputs: the model's number of classes.
        scaling: of the run that made the model; None: 8-bit images, or the full range of 16 bits.

    Returns:
        The images, uint8 (or int8) [N, …shape], and the labels, int64 [N].

    Raises:
        UserError: `path` does not exist or has no readable image, a subfolder is not a class, or the folder is split
            into training and other images.
    """
    if not folders.is_folder_or_zip(path):
        if path.suffix.lower() != ".npz":
            raise UserError(
                f"labelled images {str(path)!r} is not a folder, a zip or a .npz file: give one of the three"
            )
        images, labels = arrays.load_labelled_arrays(path, shape, scaling)
        return _codes_of_array(images, scaling), labels
    _check_shape(shape)
    found = folders.open_images(path)
    if found.parts:
        raise UserError(
            f"labelled images {str(path)!r} are split ({', '.join(found.parts)}): give a part not used for training"
        )
    outputs_of = _outputs_of(found.class_names, class_names, outputs, path)
    decoded = decode_all(found.images, len(found.images), found.class_names, _reading(found.images, shape, scaling))
    if decoded.unreadable:
        problem = count_unreadable(decoded.unreadable)
        if not len(decoded.image_set):
            raise UserError(f"{path}: no readable image, {problem}: repair them, or convert them to PNG")
        logger.warning("%s: %s; skipped", path, problem)
    _warn_of_squashed([decoded], shape, path)
    return _codes(decoded.image_set.images, scaling, path), outputs_of[decoded.image_set.labels]


def _outputs_of(found: Sequence[str], class_names: Sequence[str], outputs: int, path: Path) -> np.ndarray:
    """The output index of each class folder: int64."""
    if outputs < 2:
        raise UserError(
            f"labelled images {str(path)!r} have {len(found)} classes, the model has one output: end it in two outputs "
            "with a softmax, or give the images without labels"
        )
    if not class_names and len(found) != outputs:
        raise UserError(
            f"labelled images {str(path)!r} have {len(found)} classes, the model has {outputs}: name all classes in "
            "output order with --class-names"
        )
    names = list(class_names or found)
    unknown = [name for name in found if name not in names]
    if unknown:
        raise UserError(
            f"labelled images {str(path)!r} contain {unknown[0]!r}, which is not a class: give one subfolder for each "
            f"of {', '.join(names)}"
        )
    return np.array([names.index(name) for name in found], np.int64)


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 3:
        raise UserError(
            f"the model's input is {list(shape)}, not an image of height, width and channels: give arrays of it"
        )


def _reading(images: Sequence[EncodedImage], shape: tuple[int, ...], scaling: Scaling | None) -> Reading:
    """How to read images for a model's input of this shape."""
    height, width, channels = shape
    first = first_samples(images)
    if first is None:  # decoding says why
        return Reading(height, width, channels)
    if scaling is None:
        return reading.of_first(first, (height, width), channels=channels)
    if len(scaling.bands.names) != channels:
        raise UserError(
            f"--scaling is for {len(scaling.bands.names)} channels, the model takes {channels}: give the scaling.json "
            "of the model's run"
        )
    return Reading(height, width, channels, scaling.bands, first.pixels.dtype.name)


def _codes(images: np.ndarray, scaling: Scaling | None, path: Path) -> np.ndarray:
    """The codes of decoded images: by the scaling, or those of 8-bit images or the full range of 16 bits.

    Raises:
        UserError: without a scaling, pixels would lose most of their range, or their range is not known.
    """
    if scaling is not None:
        if images.dtype != scaling.samples and scaling.samples != "float32":
            raise UserError(
                f"{path} has {images.dtype} samples, --scaling is for {scaling.samples}: give images as the run had"
            )
        return scaling.codes(images)
    if images.dtype == np.uint8:
        return images
    largest = images.max(initial=0)
    if 1 < largest <= LARGEST["uint8"] and images.min(initial=0) >= 0:  # 8-bit pixels in a wider type
        return images.astype(np.uint8)
    if images.dtype == np.float32 or largest < (LARGEST["uint16"] + 1) // _SLIVER:
        raise UserError(
            f"{path} has {images.dtype} samples from {images.min(initial=0):g} to {largest:g}, 0 to 255 expected, or "
            "the full range of 16 bits: give --scaling, the scaling.json of the model's run"
        )
    bands = Bands(("",) * images.shape[-1], (0,) * images.shape[-1], 1)
    return full_range(bands, "uint16", LARGEST["uint16"], "").codes(images)


def _codes_of_array(images: np.ndarray, scaling: Scaling | None) -> np.ndarray:
    """The codes of an array's images: arrays of 8 bits hold codes."""
    is_raw = scaling is not None and scaling.samples != "uint8" and images.dtype == scaling.samples
    return scaling.codes(images) if is_raw and scaling is not None else images


def _warn_of_squashed(parts: Sequence[Decoded], shape: tuple[int, ...], path: Path) -> None:
    sizes = {size: tuple(map(int, size.split("x"))) for part in parts for size in part.sizes}
    squashed = [size for size, (width, height) in sizes.items() if width * shape[0] != height * shape[1]]
    if squashed:
        logger.warning(
            "%s: images of %s are resized to %dx%d, so their aspect ratio changes", path, squashed[0], *shape[1::-1]
        )


def _spread(available: int, count: int) -> np.ndarray:
    return np.linspace(0, available - 1, min(available, count)).round().astype(int)


def _decode_first(
    images: Sequence[EncodedImage], how: Reading, count: int, path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` readable images, and their labels, int64."""
    batches: list[Decoded] = []
    unreadable: list[str] = []
    tried = readable = 0
    while readable < count and tried < len(images):
        batch = images[tried : tried + count - readable]
        decoded = decode_all(batch, len(batch), (), how)
        batches.append(decoded)
        unreadable += decoded.unreadable
        tried += len(batch)
        readable += len(decoded.image_set)
    if unreadable:
        problem = count_unreadable(unreadable)
        if readable < count:
            raise UserError(f"{path}: {problem}; {readable} readable, {count} needed: repair them or give more")
        logger.warning("%s: %s; skipped", path, problem)
    _warn_of_squashed(batches, how.shape, path)
    found = [batch.image_set for batch in batches]
    return np.concatenate([each.images for each in found]), np.concatenate([each.labels for each in found]).astype(int)
