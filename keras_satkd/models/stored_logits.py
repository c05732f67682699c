"""Logits that another program has computed, in a file: a teacher that this project does not run.

    np.savez("teacher.npz", names=names, logits=logits, class_names=class_names)

A `.npz` file holds `names` (N texts, the names of the images in the data set), `logits` (float [N, C] of the images
themselves, or [N, 8, C] of their eight dihedral views in the order of `augment.turn`), and optionally `class_names` (C
texts). A Parquet file has a column `name`, a column with the logits of each class, whose name is the class's, and for
eight views a column `view` (0 to 7), with one row for each image and view. The values may be probabilities.
"""

import hashlib
import logging
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from firmware_export.common import digests
from firmware_export.common.errors import UserError

logger = logging.getLogger("keras_satkd")

DIHEDRAL_VIEWS = 8
"""Number of flips and quarter turns."""

LEAST_PROBABILITY = 1e-12
"""The logarithm of a smaller probability is that of this one."""

_DECIMALS = 0.01
"""To which a table may have rounded probabilities."""

_LARGEST = 60_000
"""Largest absolute value of a logit: they are kept in half precision."""


@dataclass(frozen=True, eq=False)
class StoredLogits:
    """Logits of a teacher for all images of a data set.

    Attributes:
        name: unique among the teachers of a run.
        files: names of N images.
        values: float32 [N, V, C], as in the file; V is 1, the image itself, or `DIHEDRAL_VIEWS`.
        sha256: of the file, 64 hexadecimal digits.
        gives_probabilities: whether the values are probabilities; `of` then takes the logarithm.
        class_names: the classes in the order of the logits; None if the file does not name them.
        order: positions of the file's classes in the order of the logits; None for the same order.
    """

    name: str
    files: tuple[str, ...]
    values: np.ndarray
    sha256: str
    gives_probabilities: bool = False
    class_names: tuple[str, ...] | None = None
    order: tuple[int, ...] | None = None

    @property
    def classes(self) -> int:
        """Number of logits."""
        return int(self.values.shape[-1])

    @property
    def views(self) -> int:
        """Number of views of each image."""
        return int(self.values.shape[1])

    def digest(self) -> str:
        """SHA-256 of everything that affects its logits, 64 hexadecimal digits."""
        return hashlib.sha256(f"{self.sha256} {self.gives_probabilities} {self.order}".encode()).hexdigest()

    def of(self, files: Sequence[str]) -> np.ndarray:
        """Logits of images by their names, float32 [len(files), V, C]."""
        values = self.values[[self._positions[file] for file in files]]
        if self.order is not None:
            values = values[..., self.order]
        logits: np.ndarray = (
            np.log(np.maximum(values, np.float32(LEAST_PROBABILITY))) if self.gives_probabilities else values
        )
        return logits

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {file: position for position, file in enumerate(self.files)}

    def check_images(self, files: Sequence[str]) -> None:
        """Check that the file has the logits of these images, and of no others.

        Raises:
            UserError: an image is missing in the file, or in the data.
        """
        known, wanted = set(self.files), set(files)
        for found, what in ((wanted - known, "lacks"), (known - wanted, "has logits of images that the data lacks:")):
            if found:
                shown = ", ".join(repr(name) for name in sorted(found)[:3])
                more = f" and {len(found) - 3} more" if len(found) > 3 else ""
                raise UserError(
                    f"teacher {self.name} {what} {shown}{more} ({len(known)} names in the file, {len(wanted)} images): "
                    "compute logits of the images that `python -m keras_satkd.list_images` lists"
                )


def read(path: Path, name: str, outputs: str = "auto") -> StoredLogits:
    """Read a `.npz` or Parquet file of logits.

    Args:
        path: the file.
        name: the teacher's name.
        outputs: `logits`, `probabilities`, or `auto`: probabilities, if every row is non-negative and sums to 1.

    Raises:
        UserError: the file is damaged or lacks an entry; a name occurs twice; the logits have another shape, or are not
            finite.
    """
    what = f"teacher {path}"
    try:
        names, values, class_names = READERS[path.suffix](path, what)
    except (OSError, EOFError, TypeError, ValueError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{what} cannot be read ({reason}): write it again") from None
    if values.ndim == 2:
        values = values[:, None]
    if values.ndim != 3 or values.shape[1] not in (1, DIHEDRAL_VIEWS) or values.shape[2] < 2 or not len(values):
        raise UserError(
            f"{what} has logits of shape {list(values.shape)}: give [images, classes] or "
            f"[images, {DIHEDRAL_VIEWS}, classes]"
        )
    if len(names) != len(values):
        raise UserError(f"{what} has {len(names)} names and {len(values)} rows of logits: give one of each per image")
    if class_names is not None and (len(class_names) != values.shape[2] or len(set(class_names)) != len(class_names)):
        raise UserError(
            f"{what} has {len(class_names)} class names, {len(set(class_names))} different, and logits of "
            f"{values.shape[2]} classes: give each class its name"
        )
    _check_names(names, what)
    _check_values(names, values, what)
    is_probable = gives_probabilities(values, outputs, what)
    return StoredLogits(name, names, values, digests.of(path), is_probable, class_names)


def gives_probabilities(rows: np.ndarray, outputs: str, what: str) -> bool:
    """Whether outputs are probabilities: all rows (the last axis) are non-negative and sum to 1.

    Args:
        rows: float [..., C].
        outputs: `logits` or `probabilities` as the user states it, or `auto`.
        what: names the model or file in messages.

    Raises:
        UserError: they cannot be the probabilities that they are said to be.
    """
    # bfloat16 keeps 8 bits of each probability; a table may keep two decimals.
    tolerance = 0.01 + _DECIMALS / 2 * rows.shape[-1]
    is_probable = bool((rows >= 0).all() and np.abs(rows.sum(axis=-1) - 1).max() < tolerance)
    if outputs == "probabilities" and not is_probable:
        raise UserError(
            f"{what} gives rows that are no probabilities, such as {_shown(rows)}: state outputs = 'logits'"
        )
    if outputs == "auto" and not is_probable and (rows >= 0).all() and (rows <= 1).all():
        logger.warning(
            "%s gives values from 0 to 1 that do not sum to 1, such as %s, as sigmoids do: they are taken for logits; "
            "give the values before the sigmoid, or, if they are logits, state outputs = 'logits' in a TOML file",
            what,
            _shown(rows),
        )
    return is_probable and outputs != "logits"


def _shown(rows: np.ndarray) -> str:
    return ", ".join(f"{value:.3g}" for value in rows.reshape(-1, rows.shape[-1])[0][:4])


def _check_names(names: tuple[str, ...], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UserError(f"{what} has {name!r} twice: give the logits of each image once")
        seen.add(name)


def _check_values(names: tuple[str, ...], values: np.ndarray, what: str) -> None:
    bad = ~(np.abs(values) < _LARGEST).all(axis=(1, 2))
    if bad.any():
        at = int(bad.argmax())
        value = values[at][~(np.abs(values[at]) < _LARGEST)][0]
        raise UserError(
            f"{what} has the value {value:g} for {names[at]!r} ({int(bad.sum())} such images): give finite logits"
        )


_Content = tuple[tuple[str, ...], np.ndarray, tuple[str, ...] | None]


def _read_npz(path: Path, what: str) -> _Content:
    with np.load(path, allow_pickle=False) as arrays:
        for entry in ("names", "logits"):
            if entry not in arrays:
                raise UserError(f"{what} has no {entry!r} (it has {', '.join(arrays) or 'nothing'}): add it")
        values, names = arrays["logits"], arrays["names"]
        if values.dtype.kind != "f" or names.dtype.kind != "U" or names.ndim != 1:
            raise UserError(
                f"{what} has names of type {names.dtype} {list(names.shape)} and logits of type {values.dtype}: give "
                "one text for each image, and float logits"
            )
        class_names = None
        if "class_names" in arrays:
            listed = arrays["class_names"]
            if listed.dtype.kind != "U" or listed.ndim != 1:
                raise UserError(
                    f"{what} has class_names of type {listed.dtype} {list(listed.shape)}: give one text for each class"
                )
            class_names = tuple(str(name) for name in listed)
        return tuple(str(name) for name in names), values.astype(np.float32), class_names


def _read_parquet(path: Path, what: str) -> _Content:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise ValueError(str(error)) from None
    if "name" not in table.column_names:
        raise UserError(f"{what} has no column 'name' (it has {', '.join(table.column_names)}): add it")
    class_names = tuple(name for name in table.column_names if name not in ("name", "view", "__index_level_0__"))
    if not class_names:
        raise UserError(f"{what} has no column of logits: add one for each class, with its name")
    try:
        columns = [table[name].to_numpy().astype(np.float32) for name in class_names]
    except (TypeError, ValueError):
        raise UserError(f"{what} has a column that is no number: give 'name', 'view', and one per class") from None
    values, names = np.stack(columns, axis=1), table["name"].to_pylist()
    if not all(isinstance(name, str) for name in names):
        raise UserError(f"{what} has a name that is no text: give the name of an image in every row")
    if "view" not in table.column_names:
        return tuple(names), values, class_names
    return *_by_view(names, table["view"].to_numpy(), values, what), class_names


def _by_view(names: list[str], views: np.ndarray, values: np.ndarray, what: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Names, each once, and values [N, V, C] of rows that have one view of one image each."""
    found = tuple(dict.fromkeys(names))
    number = len(np.unique(views))
    rows = {(name, int(view)): row for row, (name, view) in enumerate(zip(names, views, strict=True))}
    wanted = [(name, view) for name in found for view in range(number)]
    if (missing := next((each for each in wanted if each not in rows), None)) is not None:
        raise UserError(f"{what} lacks view {missing[1]} of {missing[0]!r}: give views 0 to {number - 1} of each image")
    if len(names) != len(wanted):
        raise UserError(f"{what} has {len(names)} rows for {len(wanted)} views of images: give each view once")
    return found, values[[rows[each] for each in wanted]].reshape(len(found), number, -1)


READERS: dict[str, Callable[[Path, str], _Content]] = {".npz": _read_npz, ".parquet": _read_parquet}
"""Functions that read a file of logits, by its suffix."""
