"""The images a model is verified on: the user's own, or generated ones."""

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware_export.common.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".ppm", ".pgm"})


def load_images(path: Path, shape: tuple[int, ...], count: int) -> np.ndarray:
    """Read images evenly spread over a file or folder.

    Args:
        path: a `.npy` with uint8 [N, …shape] (or int8: the model's codes), or a folder searched recursively.
        shape: one image, without the batch: height, width, channels.
        count: how many to take at most, evenly spread in the order of the file or of sorted paths.

    Returns:
        uint8 (or int8) [count or fewer, …shape].

    Raises:
        UserError: nothing there, or images of another kind.
    """
    if path.is_dir():
        return _from_folder(path, shape, count)
    if path.suffix != ".npy":
        raise UserError(f"images {str(path)!r} is neither a folder nor a .npy file: give one of the two")
    return _from_array(path, shape, count)


def load_labelled(path: Path, shape: tuple[int, ...], class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read all images of a file or folder with their classes.

    Args:
        path: a `.npz` with `images`, uint8 [N, …shape] (or int8: the model's codes), and `labels`, int [N]; or a folder
            with one subfolder a class, named as in `class_names`.
        shape: one image, without the batch.
        class_names: in output order; may be empty for a `.npz`, and for a folder if its subfolders' sorted names are
            the classes in output order.

    Returns:
        uint8 (or int8) [N, …shape] and int64 [N].

    Raises:
        UserError: nothing there, images of another kind, or a subfolder that is no class.
    """
    if path.is_dir():
        return _labelled_folder(path, shape, class_names)
    if path.suffix != ".npz":
        raise UserError(f"labelled images {str(path)!r} are neither a folder nor a .npz file: give one of the two")
    if not path.is_file():
        raise UserError(f"labelled images {str(path)!r} not found: give a folder of classes or a .npz file")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"].astype(np.int64, casting="same_kind")
    except (ValueError, OSError, EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(
            f"labelled images {str(path)!r} hold no arrays images and labels ({error}): save both with numpy.savez"
        ) from error
    return images, labels


def _labelled_folder(path: Path, shape: tuple[int, ...], class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir())
    names = list(class_names) or [folder.name for folder in folders]
    strange = [folder.name for folder in folders if folder.name not in names]
    if strange or not folders:
        found = f"{strange[0]!r}, which is no class" if strange else "no subfolder"
        raise UserError(
            f"labelled images {str(path)!r} hold {found}: give one subfolder a class, of {', '.join(names)}"
        )
    images = [_from_folder(folder, shape, sys.maxsize) for folder in folders]
    labels = np.repeat([names.index(folder.name) for folder in folders], [len(some) for some in images])
    return np.concatenate(images), labels


def _spread(available: int, count: int) -> np.ndarray:
    return np.linspace(0, available - 1, min(available, count)).round().astype(int)


def _from_array(path: Path, shape: tuple[int, ...], count: int) -> np.ndarray:
    if not path.is_file():
        raise UserError(f"images {str(path)!r} not found: give a folder of images or a .npy file")
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"images {str(path)!r} is truncated or no .npy array ({error}): save it again") from error
    if images.dtype not in (np.uint8, np.int8) or images.shape[1:] != shape or len(images) == 0:
        expected = ", ".join(map(str, ("N", *shape)))
        raise UserError(
            f"images {str(path)!r} are {images.dtype} {list(images.shape)}, uint8 [{expected}] expected: save pixels "
            "from 0 to 255 of the model's input size"
        )
    return np.array(images[_spread(len(images), count)])


def _from_folder(path: Path, shape: tuple[int, ...], count: int) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    if len(shape) != 3 or shape[2] not in (1, 3):
        raise UserError(f"the model reads {list(shape)}, no image of 1 or 3 channels: give a .npy array of that shape")
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise UserError(f"no images under {str(path)!r}: expected files ending in {', '.join(sorted(SUFFIXES))}")
    height, width, channels = shape
    images = np.empty((min(len(files), count), *shape), np.uint8)
    for index, position in enumerate(_spread(len(files), count)):
        try:
            with Image.open(files[position]) as image:
                resized = image.convert("RGB" if channels == 3 else "L").resize((width, height))
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
            raise UserError(f"image {str(files[position])!r} does not decode: remove or replace it") from error
        images[index] = np.asarray(resized, np.uint8).reshape(shape)
    return images


def generated_images(shape: tuple[int, ...], count: int, seed: int = 0) -> np.ndarray:
    """Random scenes: smooth shading with rectangles on it, some noisy, some saturated, and one black and one white.

    Noise alone would excite a network's first layer evenly and leave every later one near its mean.

    Args:
        shape: one image, without the batch. Anything but height, width, channels is treated as a row of samples.
        count: how many.
        seed: the same seed gives the same images.

    Returns:
        uint8 [count, …shape].
    """
    generator = np.random.default_rng(seed)
    height, width, channels = shape if len(shape) == 3 else (1, int(np.prod(shape)), 1)
    images = np.stack([_scene(generator, height, width, channels) for _ in range(count)])
    images[:1], images[1:2] = 0, 255
    return images.reshape(count, *shape)


def _scene(generator: np.random.Generator, height: int, width: int, channels: int) -> np.ndarray:
    scene = _shading(generator, height, width, channels)
    for _ in range(generator.integers(0, 6)):
        top, left = generator.integers(0, height), generator.integers(0, width)
        bottom, right = top + generator.integers(1, height + 1), left + generator.integers(1, width + 1)
        scene[top:bottom, left:right] = generator.uniform(-64, 320, channels)
    scene += generator.normal(0, generator.choice([0, 4, 32]), scene.shape)
    return np.clip(scene, 0, 255).round().astype(np.uint8)


def _shading(generator: np.random.Generator, height: int, width: int, channels: int) -> np.ndarray:
    corners = generator.uniform(0, 255, (4, 4, channels))
    rows, columns = (np.linspace(0, 3, size) for size in (height, width))
    down = np.stack([np.interp(rows, range(4), line) for line in corners.transpose(1, 2, 0).reshape(-1, 4)], axis=-1)
    down = down.reshape(height, 4, channels)
    across = [np.interp(columns, range(4), line) for line in down.transpose(0, 2, 1).reshape(-1, 4)]
    return np.stack(across).reshape(height, channels, width).transpose(0, 2, 1)
