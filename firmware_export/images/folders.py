"""Image folders and zips: which files are images, and the class of each image."""

import logging
import os
import posixpath
import stat
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_export.common.errors import UserError
from firmware_export.images.decode import EncodedImage, FileReader, image_extensions
from firmware_export.images.layout import LAYOUT, class_level, part_level, part_of

logger = logging.getLogger("firmware_export")


@dataclass(frozen=True)
class FoundImages:
    """The image files below a folder or inside a zip, not yet read.

    Attributes:
        readers: functions that return a file's bytes, by its path below the folder or inside the zip, with `/`.
        folders: paths of all folders that are not hidden, with or without images.
        fingerprint: changes when the files' names, sizes or times change.
    """

    readers: dict[str, Callable[[], bytes]]
    folders: set[str]
    fingerprint: list[Any]


@dataclass(frozen=True)
class ImageFiles:
    """The images of a folder with one subfolder per class, not yet read.

    Attributes:
        images: sorted by name.
        class_names: sorted.
        fingerprint: as `FoundImages.fingerprint`.
        parts: names of the folders (`train`, `dev`) that split the data set; empty if it does not come split. Each
            image then has its part.
    """

    images: tuple[EncodedImage, ...]
    class_names: tuple[str, ...]
    fingerprint: list[Any]
    parts: tuple[str, ...]


def is_folder_or_zip(path: Path) -> bool:
    """Whether to read `path` with `find_images`: a folder, or a file that is a zip or has the extension `.zip`."""
    if path.is_dir():
        return True
    is_array = path.suffix.lower() == ".npz"  # a zip too, but of arrays
    return path.is_file() and not is_array and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path))


def find_images(path: Path) -> FoundImages:
    """Find all images in `path`, a folder (searched recursively, including links) or a zip.

    Images are recognized by their extension. Hidden files and folders (`.ipynb_checkpoints`, `._1.jpg`, `__MACOSX`)
    are ignored. Each folder is searched once, even if several links lead to it.

    Raises:
        UserError: `path` is not a zip, or cannot be read.
    """
    return _search_folder(path) if path.is_dir() else _search_zip(path)


def open_images(path: Path, least_classes: int = 2) -> ImageFiles:
    """Find the images of `path`, a folder with one subfolder per class or a zip of one, and their classes.

    Outer folders that contain nothing but the class folders are skipped. Images in folders below a class folder belong
    to that class. A class folder without images does not count as a class, and a warning is logged. With
    `least_classes` 1, the innermost folder that contains all images may be the only class.

    Raises:
        UserError: `path` is empty, is not a zip, cannot be read, contains fewer classes than `least_classes`, or has
            folders of which `layout` cannot tell classes from parts.
    """
    found = find_images(path)
    if not found.readers:
        raise UserError(f"{path} contains no images: {LAYOUT} with JPEG, PNG or TIFF files in it")
    wrapping, class_depth = class_level(path, list(found.readers), least_classes)
    members = [(name, name.split("/")) for name in sorted(found.readers)]
    # Images next to the class folders (an overview, a legend) have no class.
    beside = [name for name, parts in members if len(parts) <= class_depth + 1]
    if beside:
        logger.warning("%s: %d images are in no class folder and not used, such as %s", path, len(beside), beside[0])
    members = [(name, parts) for name, parts in members if len(parts) > class_depth + 1]
    class_names = tuple(sorted({parts[class_depth] for _, parts in members}))
    if len(class_names) < least_classes:
        raise UserError(f"{path} has images of only one class ({class_names[0]!r}): {LAYOUT}, at least two")
    _warn_of_empty(path, found.folders, (parts for _, parts in members), class_depth)
    label = {name: position for position, name in enumerate(class_names)}
    part_depth = part_level(path, [parts for _, parts in members], wrapping, class_depth)
    images = tuple(
        EncodedImage(
            "/".join(parts[wrapping:]),
            label[parts[class_depth]],
            found.readers[name],
            None if part_depth is None else part_of(parts[part_depth]),
        )
        for name, parts in members
    )
    divided = () if part_depth is None else sorted({parts[part_depth] for _, parts in members})
    return ImageFiles(images, class_names, found.fingerprint, tuple(divided))


def _search_folder(root: Path) -> FoundImages:
    sizes_and_times: dict[str, tuple[int, int]] = {}
    folders: set[str] = set()
    seen: set[tuple[int, int]] = set()
    # Links come last, so that a folder is listed under its own path even if a link leads to it.
    pending: list[Path] = [root]
    links: list[Path] = []
    while pending or links:
        folder = pending.pop() if pending else links.pop(0)
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:  # links may form a cycle
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise UserError(f"{folder} cannot be read: {error.strerror}") from None
        if folder != root:
            folders.add(folder.relative_to(root).as_posix())
        for entry in entries:
            if _is_hidden(entry.name):
                continue
            path = Path(entry.path)
            try:
                status = path.stat()
            except OSError:  # a broken link
                continue
            if stat.S_ISDIR(status.st_mode):
                (links if entry.is_symlink() else pending).append(path)
            elif stat.S_ISREG(status.st_mode) and _has_image_ending(entry.name):
                sizes_and_times[path.relative_to(root).as_posix()] = (status.st_size, status.st_mtime_ns)
    readers: dict[str, Callable[[], bytes]] = {
        name: FileReader(size, (root / name).read_bytes, root / name) for name, (size, _) in sizes_and_times.items()
    }
    fingerprint = [[name, *sizes_and_times[name]] for name in sorted(sizes_and_times)]
    return FoundImages(readers, folders, fingerprint)


def _search_zip(path: Path) -> FoundImages:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        remedy = "download it again if it is truncated; unpack other archive types and give the folder"
        raise UserError(f"{path} is not a complete zip: {remedy}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    readers = {}
    folders = set()
    for member in archive.infolist():
        name = member.filename.replace("\\", "/")
        is_folder = name.endswith("/")
        name = posixpath.normpath(name).strip("/")
        if any(_is_hidden(part) for part in name.split("/")):
            continue
        parents = name.split("/")[: None if is_folder else -1]
        folders |= {"/".join(parents[:depth]) for depth in range(1, len(parents) + 1)}
        if not is_folder and _has_image_ending(name):
            readers[name] = _member_reader(archive, member)
    status = path.stat()
    return FoundImages(readers, folders, [status.st_size, status.st_mtime_ns])


def _member_reader(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], bytes]:
    return FileReader(member.file_size, lambda: archive.read(member))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _has_image_ending(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() in image_extensions()


def _warn_of_empty(path: Path, folders: set[str], images: Iterable[list[str]], class_depth: int) -> None:
    with_images = {tuple(parts[: class_depth + 1]) for parts in images}
    wrappers = {parts[:class_depth] for parts in with_images}
    beside = {tuple(name.split("/")) for name in folders}
    empty = {parts for parts in beside - with_images if len(parts) == class_depth + 1 and parts[:-1] in wrappers}
    if empty:
        listed = ", ".join(sorted("/".join(parts) for parts in empty))
        logger.warning("%s: folders without images are not used as classes: %s", path, listed)
