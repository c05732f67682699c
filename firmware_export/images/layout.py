"""Which folders of a data set are its classes and which its parts, by the paths of its images."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from firmware_export.common.errors import UserError

logger = logging.getLogger("firmware_export")

LAYOUT = "expected one subfolder per class (Forest/…, River/…)"

# Names of the parts of data sets that come split, without endings such as in `train_images` and `TestSet`.
_PART_NAMES = {
    "train": ("train", "training", "trn"),
    "validation": ("val", "valid", "validation", "dev", "development"),
    "test": ("test", "testing", "tst"),
}
_PART_ENDINGS = ("", "data", "image", "images", "img", "imgs", "set", "split")

# Names of columns and arrays that say of which part an image is, beside those of the parts themselves.
_ASSIGNS_PARTS = re.compile(
    r"(data)?split(name|type|id)?|part(ition)?|(sub)?set|phase|usage|(k|cv)?folds?(id|number)?|holdout"
)
_SEVERAL_PARTS = re.compile(r"train(or|and)?(val|valid|validation|test)+(split)?")


def part_of(name: str) -> str | None:
    """The part, of `image_set.PARTS`, that a folder or a split of this name contains (`Dev`, `test_images`)."""
    letters = "".join(letter for letter in name.lower() if letter.isalpha())
    return next(
        (
            part
            for part, names in _PART_NAMES.items()
            if letters in (start + ending for start in names for ending in _PART_ENDINGS)
        ),
        None,
    )


def assigns_parts(name: str) -> bool:
    """Whether a column or an array of this name says of which part an image is (`is_train`, `Fold`)."""
    letters = "".join(letter for letter in name.lower() if letter.isalpha())
    if letters == "valid":  # often says that an image is usable
        return False
    known = (_ASSIGNS_PARTS, _SEVERAL_PARTS)
    return part_of(letters.removeprefix("is")) is not None or any(each.fullmatch(letters) for each in known)


def class_level(path: Path, names: Sequence[str], least_classes: int) -> tuple[int, int]:
    """The number of outer folders common to all images, and the depth of the class folders.

    Args:
        path: of the data set, for messages.
        names: paths of its images, with `/`.
        least_classes: 1 or 2.

    Raises:
        UserError: there are no class folders, or fewer than `least_classes`; or folders that look like parts are
            beside others, or have names that are not known.
    """
    folders = [name.split("/")[:-1] for name in names]
    depth = 0
    while len(below := {parts[depth] for parts in folders if len(parts) > depth}) == 1:
        depth += 1
    if below:
        is_split = all(part_of(name) for name in below)
        if is_split and not any(len(parts) > depth + 1 for parts in folders):
            raise UserError(f"{path} has no class folders in {', '.join(sorted(below))}: {LAYOUT} in each")
        if not is_split:
            _refuse_unknown_parts(path, folders, depth, below)
        return depth, depth + is_split
    if depth == 0:
        raise UserError(f"{path} has images but no class folders: {LAYOUT}")
    if least_classes == 1:
        return depth - 1, depth - 1
    deepest = max(folders, key=len)[-1]
    raise UserError(f"{path} has images of only one class ({deepest!r}): {LAYOUT}, at least two")


def part_level(path: Path, members: Sequence[list[str]], wrapping: int, class_depth: int) -> int | None:
    """The depth of the folders that are the parts: above the class folders or below all of them; None without parts.

    Args:
        path: of the data set, for messages.
        members: of each image, the names of its folders and its own.
        wrapping: the number of outer folders common to all images.
        class_depth: the depth of the class folders.

    Raises:
        UserError: class folders have parts, and images beside these or in other folders.
    """
    if class_depth > wrapping:
        return wrapping
    below = class_depth + 1
    parts = {part_of(names[below]) for names in members if len(names) > below + 1} - {None}
    if len(parts) < 2:
        return None
    outside = [names for names in members if len(names) <= below + 1 or part_of(names[below]) is None]
    if outside:
        raise UserError(
            f"{path} has parts in its class folders ({', '.join(sorted(map(str, parts)))}), and images outside of them "
            f"({'/'.join(outside[0])}): move these elsewhere"
        )
    return below


def _refuse_unknown_parts(path: Path, folders: Sequence[list[str]], depth: int, names: set[str]) -> None:
    """Refuse parts beside a folder that is none (`train`, `val` and `holdout`): they would be taken for classes."""
    inner: dict[str, set[str]] = {name: set() for name in names}
    for parts in folders:
        if len(parts) > depth:
            inner[parts[depth]].add(parts[depth + 1] if len(parts) > depth + 1 else "")
    known = [name for name in sorted(names) if part_of(name) and "" not in inner[name]]
    others = sorted(names - set(known))
    if not known:
        _doubt_equal_folders(path, inner)
        return
    have_classes = known if len(known) > 1 else [*known, *others]
    if set.intersection(*(inner[name] for name in have_classes)):
        raise UserError(
            f"{path} has {', '.join(known)} like a data set that comes split, and {others[0]!r}, which is no part: "
            "name the parts train, validation and test, or move it elsewhere"
        )


def _doubt_equal_folders(path: Path, inner: dict[str, set[str]]) -> None:
    """Classes that all have the same folders may be parts (`seg_train`, `fold1`), and these folders the classes."""
    equal = next(iter(inner.values()))
    if len(equal) < 2 or "" in equal or any(found != equal for found in inner.values()):
        return
    if all(part_of(name) for name in equal):  # parts below the classes
        return
    said = f"the folders {', '.join(sorted(inner))} of {path} have the same subfolders ({', '.join(sorted(equal)[:4])})"
    if any(_resembles_part(name) for name in inner):
        raise UserError(f"{said}, like parts of a data set: name the parts train, validation and test")
    logger.warning("%s: if those are the classes, name the folders train, validation and test, or give one", said)


def _resembles_part(name: str) -> bool:
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    return any(re.match(r"train|test|valid|val$|dev$", word.lower()) for word in words)
