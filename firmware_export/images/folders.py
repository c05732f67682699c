"""Image folders and zips of them: which files are images, and which class each belongs to."""

import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from firmware_export.common.errors import UserError
from firmware_export.images.decode import EncodedImage, image_extensions

LAYOUT = "expected one subfolder per class (Forest/…, River/…)"

# Data sets that come divided: their parts are put together and divided anew, as TFDS's are.
_PARTS = {"train", "training", "val", "valid", "validation", "test", "testing"}


@dataclass(frozen=True)
class ImageFiles:
    """The images below a folder or inside a zip, unread.

    Attributes:
        images: sorted by name.
        class_names: sorted.
        fingerprint: of the files' names, sizes and times: changes when they do.
    """

    images: tuple[EncodedImage, ...]
    class_names: tuple[str, ...]
    fingerprint: str | list


def open_images(path: Path) -> ImageFiles:
    """The images of `path`, a folder with one subfolder per class or a zip of one.

    Folders that merely wrap the class folders are passed over, hidden files and files that are no images by their
    ending ignored. Images in folders below a class folder belong to the class.

    Raises:
        UserError: `path` is empty, is no zip, cannot be read, or holds fewer than two classes.
    """
    return _open_folder(path) if path.is_dir() else _open_zip(path)


def _open_folder(path: Path) -> ImageFiles:
    found = {name: entry for name, entry in _walk(path) if _is_image(name)}
    readers = {name: (path / name).read_bytes for name in found}
    fingerprint = [[name, *found[name]] for name in sorted(found)]
    return _classify(path, readers, fingerprint)


def _walk(root: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Every file below `root` as (path with `/`, (bytes, modification time in ns)), through links too."""
    seen = set()
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            raise UserError(f"{folder} cannot be read: {error.strerror}") from None
        for entry in entries:
            try:
                status = entry.stat()
            except OSError:  # a link to nowhere
                continue
            if stat.S_ISREG(status.st_mode):
                yield Path(entry.path).relative_to(root).as_posix(), (status.st_size, status.st_mtime_ns)
            elif stat.S_ISDIR(status.st_mode) and (identity := (status.st_dev, status.st_ino)) not in seen:
                seen.add(identity)  # links may lead in circles
                pending.append(Path(entry.path))


def _open_zip(path: Path) -> ImageFiles:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        remedy = "download it again if it was cut short; unpack another kind of archive and give its folder"
        raise UserError(f"{path} is not a complete zip: {remedy}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    members = {member.filename.replace("\\", "/").strip("/"): member for member in archive.infolist()}
    readers = {name: _member_reader(archive, member) for name, member in members.items() if _is_image(name)}
    status = path.stat()
    return _classify(path, readers, [status.st_size, status.st_mtime_ns])


def _member_reader(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], bytes]:
    return lambda: archive.read(member)


def _is_image(name: str) -> bool:
    parts = name.split("/")
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and os.path.splitext(parts[-1])[1].lower() in image_extensions()


def _classify(path: Path, readers: dict[str, Callable[[], bytes]], fingerprint: list) -> ImageFiles:
    if not readers:
        raise UserError(f"{path} holds no images: {LAYOUT} with JPEG, PNG or TIFF files in it")
    wrapping, class_depth = _class_level(path, list(readers))
    members = [(name, name.split("/")) for name in sorted(readers)]
    # Images that lie beside the class folders (an overview, a legend) have no class.
    members = [(name, parts) for name, parts in members if len(parts) > class_depth + 1]
    class_names = tuple(sorted({parts[class_depth] for _, parts in members}))
    if len(class_names) < 2:
        raise UserError(f"{path} has images of one class only ({class_names[0]!r}): {LAYOUT}, at least two")
    label = {name: position for position, name in enumerate(class_names)}
    images = tuple(
        EncodedImage("/".join(parts[wrapping:]), label[parts[class_depth]], readers[name]) for name, parts in members
    )
    return ImageFiles(images, class_names, fingerprint)


def _class_level(path: Path, names: list[str]) -> tuple[int, int]:
    """How many folders wrap all images, and the depth at which folder names are class names."""
    folders = [name.split("/")[:-1] for name in names]
    depth = 0
    while len(below := {parts[depth] for parts in folders if len(parts) > depth}) == 1:
        depth += 1
    if below:
        divided = {part.lower() for part in below} <= _PARTS
        return depth, depth + divided
    if depth == 0:
        raise UserError(f"{path} has images but no class folders: {LAYOUT}")
    deepest = max(folders, key=len)[-1]
    raise UserError(f"{path} has images of one class only ({deepest!r}): {LAYOUT}, at least two")
