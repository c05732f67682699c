"""Images saved as NumPy arrays: `.npy` of pixels, `.npz` of pixels and labels."""

import math
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware_export.common import limits, on_disk
from firmware_export.common.errors import UserError
from firmware_export.common.on_disk import Rows
from firmware_export.images.scaling import Scaling


def load_array(path: Path, shape: tuple[int, ...], scaling: Scaling | None = None) -> np.ndarray:
    """Read the images of a `.npy` file, or the array `images` of a `.npz` file.

    Args:
        path: the file.
        shape: one image, without the batch.
        scaling: if given, the array may hold samples of its type, with the channels or all bands of the files.

    Returns:
        uint8 (or int8: the model's codes), or samples for `scaling`, [N, …shape], N ≥ 1; that of a `.npy` is a
        read-only memory map.

    Raises:
        UserError: the file does not exist, is damaged, or contains an array of another type or shape.
    """
    if path.suffix.lower() == ".npz":
        return _of_shape(_load_npz(path, "images")["images"], path, shape, scaling)
    if not path.is_file():
        raise UserError(f"images {str(path)!r} not found: give a folder of images, a zip of one, a .npy or .npz file")
    try:
        images: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"images {str(path)!r} is truncated or not a .npy array ({error}): save it again") from error
    return _of_shape(images, path, shape, scaling)


def _of_shape(images: np.ndarray, path: Path, shape: tuple[int, ...], scaling: Scaling | None) -> np.ndarray:
    if (
        scaling is not None
        and images.dtype == scaling.samples != "uint8"
        and images.shape[1:] == (*shape[:-1], scaling.bands.of)
        and len(images)
    ):
        return images[..., list(scaling.bands.positions)]
    types = {"uint8", "int8", *(() if scaling is None else (scaling.samples,))}
    if images.dtype.name not in types or images.shape[1:] != shape or len(images) == 0:
        expected = ", ".join(map(str, ("N", *shape)))
        raise UserError(
            f"images {str(path)!r} are {images.dtype} {list(images.shape)}, uint8 [{expected}] expected: save pixels "
            "from 0 to 255 in the model's input size, or its int8 codes"
        )
    return images


def check_sizes(path: Path, names: Sequence[str]) -> None:
    """Refuse arrays that need more memory than the limit, by their headers and by the sizes that the zip states.

    Raises:
        KeyError: the file has no array of one of the names.
        ValueError: an array is too large, or its header is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        for name in (f"{each}.npy" for each in names):
            limits.check(limits.ARRAY, archive.getinfo(name).file_size, name)
            with archive.open(name) as file:
                shape, _, dtype = on_disk.read_header(file)
            limits.check(limits.ARRAY, math.prod(shape) * dtype.itemsize, name)


def rows_in_archive(path: Path, name: str) -> Rows | None:
    """An array of an uncompressed `.npz` (`numpy.savez`) that is larger than `limits.HELD`, after its CRC was checked.

    Returns:
        None: it is smaller or compressed, and is to be loaded.

    Raises:
        KeyError: the file has no array of this name.
        OSError, ValueError, zipfile.BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size <= limits.limit(limits.HELD):
            return None
        with archive.open(info) as member:
            while member.read(on_disk.PIECE):
                pass
    with path.open("rb") as file:
        # A local file header (APPNOTE.TXT 4.3.7): 30 bytes, of which the last four are the lengths of what follows.
        file.seek(info.header_offset + 26)
        lengths = struct.unpack("<HH", file.read(4))
        return Rows.open(path, file.tell() + sum(lengths))


def load_labelled_arrays(
    path: Path, shape: tuple[int, ...], scaling: Scaling | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read the arrays `images` and `labels` of a `.npz` file.

    Args:
        path: the file; its labels are [N] or [N, 1].
        shape: one image, without the batch.
        scaling: as of `load_array`.

    Returns:
        The images as by `load_array`, and the labels, int64 [N].

    Raises:
        UserError: the file does not exist, is damaged, or lacks one of the arrays; the images have another type or
            shape; or the labels are not integers.
    """
    saved = _load_npz(path, "images", "labels")
    labels = saved["labels"]
    if labels.dtype.kind not in "iu" or labels.shape[1:] not in ((), (1,)):
        raise UserError(
            f"labels of {str(path)!r} are {labels.dtype} {list(labels.shape)}, whole numbers [N] expected: save the "
            "position of each image's class"
        )
    return _of_shape(saved["images"], path, shape, scaling), labels.reshape(-1).astype(np.int64)


def _load_npz(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Some arrays of a `.npz` file."""
    listed = " and ".join(names)
    if not path.is_file():
        raise UserError(f"images {str(path)!r} not found: give a folder of images, a zip of one, or a .npz file")
    try:
        check_sizes(path, names)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            return {name: saved[name] for name in names}
    except (ValueError, OSError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        plural = "s" if len(names) > 1 else ""
        raise UserError(
            f"{str(path)!r} lacks the array{plural} {listed} ({error}): save {'both' if plural else 'it'} with "
            "numpy.savez"
        ) from error
