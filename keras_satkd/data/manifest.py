"""A manifest: a table (CSV or Parquet) of image files with their classes, and optionally parts, groups and places."""

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.images.decode import EncodedImage, FileReader
from firmware_export.images.layout import assigns_parts, part_of
from keras_satkd.data import groups, tables
from keras_satkd.data.found import FoundSet
from keras_satkd.data.tables import Table
from keras_satkd.settings.data_config import DataConfig

_PATH = ("path", "file", "filename", "filepath", "image", "imagefile", "imagepath", "imagename")
_LABEL = ("label", "class", "classname", "category", "target")
_SPLIT = ("split", "part", "subset", "set")
_GROUP = ("group", "groupid", "scene", "sceneid")
_PLACES = {"x": ("x", "easting", "lon", "lng", "longitude"), "y": ("y", "northing", "lat", "latitude")}

NO_GROUPS = "none"
"""Value of `data.group` that ignores the groups of a manifest."""


def open_manifest(path: Path, settings: DataConfig) -> FoundSet:
    """The images that a manifest lists, not yet read.

    Args:
        path: the table. Relative paths in it start at its folder.
        settings: names of the columns; whether the images' own parts are used.

    Raises:
        UserError: the table cannot be read or lacks a column; a file does not exist or is listed twice; a cell of the
            class, the part, the group or the place is empty or cannot be understood.
    """
    table = tables.read(path)
    files = _required(table, "path", settings.columns.path, _PATH)
    labels = _required(table, "label", settings.columns.label, _LABEL)
    _refuse(table, labels, lambda label: not label, "has images without a class", "name one")
    parts = _parts(table, settings)
    found, status = _files(table, files)
    names = _names([os.path.relpath(file, path.parent.resolve()) for file in found])
    _refuse_twice(table, names)
    class_names = tuple(sorted(set(labels)))
    position = {name: at for at, name in enumerate(class_names)}
    images = [
        EncodedImage(name, position[label], _reader(file, size), part)
        for name, label, file, (size, _), part in zip(names, labels, found, status, parts, strict=True)
    ]
    own_groups, places = _groups(table, settings), _places(table, settings)
    return FoundSet(
        tuple(images),
        class_names,
        [names, labels, parts, status],
        has_parts=any(parts),
        groups={} if own_groups is None else dict(zip(names, own_groups, strict=True)),
        positions={} if places is None else dict(zip(names, map(tuple, places.tolist()), strict=True)),
    )


def _required(table: Table, role: str, name: str | None, usual: Sequence[str]) -> list[str]:
    option = f"--data.columns.{role}"
    found = table.find(option, name, usual)
    if found is None:
        raise UserError(
            f"{table.path} has no column {role!r} among {', '.join(map(repr, table.columns))}: name it with {option}"
        )
    return table.columns[found]


def _refuse(table: Table, values: Sequence[str], is_wrong: Callable[[str], bool], what: str, remedy: str) -> None:
    wrong = {row: value for row, value in zip(table.rows, values, strict=True) if is_wrong(value)}
    if wrong:
        raise UserError(f"{table.path} {what} ({tables.first(wrong, 'rows')}): {remedy}")


def _parts(table: Table, settings: DataConfig) -> list[str | None]:
    column = table.find("--data.columns.split", settings.columns.split, _SPLIT)
    if column is None and settings.parts != "new":
        _refuse_unnamed_parts(table, settings)
    found = [] if column is None or settings.parts == "new" else table.columns[column]
    if not any(found):
        return [None] * len(table.rows)
    _refuse(
        table,
        found,
        lambda name: part_of(name) is None,
        "names parts that are not known",
        "use train, validation and test, or --data.parts new",
    )
    return [part_of(name) for name in found]


def _refuse_unnamed_parts(table: Table, settings: DataConfig) -> None:
    """Refuse a table with a column of parts, by its name or by all its cells: it would be split anew."""
    given = settings.columns
    path = table.find("--data.columns.path", given.path, _PATH)
    label = table.find("--data.columns.label", given.label, _LABEL)
    for column, cells in table.columns.items():
        names = sorted(set(cells))
        if column in (path, label, settings.group, given.x, given.y) or len(names) < 2:
            continue
        has_names_of_parts = all(map(part_of, names))
        if has_names_of_parts or assigns_parts(column):
            shown = ", ".join(name or "empty" for name in names[:3])
            remedy = "name it" if has_names_of_parts else "write train, validation or test into it and name it"
            raise UserError(
                f"{table.path} has parts in its column {column!r} ({shown}): {remedy} with --data.columns.split, or "
                "split anew with --data.parts new"
            )


def _files(table: Table, names: Sequence[str]) -> tuple[list[Path], list[tuple[int, int]]]:
    """The files' paths, and their sizes in bytes and times in ns.

    Raises:
        UserError: some do not exist.
    """
    found: list[Path] = []
    status: list[tuple[int, int]] = []
    missing: dict[str, str] = {}
    root = table.path.parent.resolve()
    for row, name in zip(table.rows, names, strict=True):
        for spelling in dict.fromkeys((name, name.replace("\\", "/"))):
            path = root / spelling
            if name and path.is_file():
                found.append(path)
                status.append((path.stat().st_size, path.stat().st_mtime_ns))
                break
        else:
            missing[row] = name
    if missing:
        raise UserError(
            f"{table.path} lists files that do not exist ({tables.first(missing, 'files')}): give paths from the "
            "folder of the manifest"
        )
    return found, status


def _names(relative: Sequence[str]) -> list[str]:
    """Names of the files that do not depend on where the set is stored."""
    if any(name.split(os.sep)[0] == os.pardir for name in relative):
        common = os.path.commonpath([os.path.dirname(name) for name in relative])
        relative = [os.path.relpath(name, common) for name in relative]
    return [Path(name).as_posix() for name in relative]


def _refuse_twice(table: Table, names: Sequence[str]) -> None:
    rows: dict[str, str] = {}
    for name, row in zip(names, table.rows, strict=True):
        if name in rows:
            raise UserError(f"{table.path} lists {name} in {rows[name]} and in {row}: keep one of both")
        rows[name] = row


def _reader(path: Path, size: int) -> FileReader:
    return FileReader(size, path.read_bytes, path)


def _groups(table: Table, settings: DataConfig) -> list[str] | None:
    """The group of each image by its column; None if there is none, or the setting is no column."""
    if settings.group is not None and settings.group not in table.columns:
        return None
    column = table.find("--data.group", settings.group, _GROUP)
    if column is None:
        return None
    found = table.columns[column]
    _refuse(table, found, lambda group: not group, "has images without a group", "name one, or --data.group none")
    return found


def _places(table: Table, settings: DataConfig) -> np.ndarray | None:
    """The place of each image, as in `ImageSet.positions`; None if there are no such columns, or no blocks.

    Raises:
        UserError: a column is missing, or a value is no number or out of range.
    """
    if settings.block is None:
        return None
    given = {"x": settings.columns.x, "y": settings.columns.y}
    names = {axis: table.find(f"--data.columns.{axis}", name, _PLACES[axis]) for axis, name in given.items()}
    x, y = names["x"], names["y"]
    if x is None and y is None:
        return None
    if x is None or y is None:
        raise UserError(
            f"{table.path} has only one coordinate ({x or y!r}), --data.block needs two: call their columns x and y, "
            "or lon and lat, or name them with --data.columns.x and --data.columns.y"
        )
    if not _is_in_degrees(x):
        return np.stack([_numbers(table, name, math.inf) for name in (x, y)], axis=1)
    return groups.on_sphere(_numbers(table, x, 180), _numbers(table, y, 90))


def _is_in_degrees(column: str) -> bool:
    return tables.plain(column).startswith(("lon", "lng"))


def _numbers(table: Table, column: str, limit: float) -> np.ndarray:
    values = table.columns[column]
    expected = "no number" if limit == math.inf else f"no number from {-limit:g} to {limit:g}"
    _refuse(
        table, values, lambda text: not _is_number(text, limit), f"has {expected} in column {column!r}", "correct it"
    )
    return np.array([float(text) for text in values])


def _is_number(text: str, limit: float) -> bool:
    try:
        return math.isfinite(float(text)) and abs(float(text)) <= limit
    except ValueError:
        return False
