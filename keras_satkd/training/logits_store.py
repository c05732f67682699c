"""Teacher logits in shards, which any number of processes compute over a shared folder.

    STORE/TEACHER-IDENTITY/store.json                     what the logits depend on (`Recipe`)
    STORE/TEACHER-IDENTITY/logits-00003-of-00064.npy      float16 [n, V, C] of the images of one shard

Shard k of S, counted from 1, has the images from ⌊N (k − 1) / S⌋ to ⌊N k / S⌋ of the training part, in its order. A
shard is written whole or not at all, with its SHA-256. IDENTITY is a digest of everything but the number of views and
shards, so logits for other images, teachers, seeds or settings are in another folder.
"""

import dataclasses
import functools
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_export.common import digests, on_disk
from firmware_export.common.errors import UserError
from keras_satkd.data.view_numbers import ByView, OfView

logger = logging.getLogger(__name__)

FORMAT = 1
"""Increase it when the logits of the same recipe change."""

DESCRIPTION = "store.json"
_FREE = ("views", "shards")
"""Fields of a recipe on which no logit depends."""


@dataclass(frozen=True)
class Recipe:
    """Everything that a store's logits depend on, and its layout.

    Attributes:
        teacher: its name.
        teacher_sha256: its digest (`Teacher.digest`).
        images: N.
        images_sha256: of the pixels.
        classes: C.
        augmentation: policy of the views.
        seed: of the views; the random numbers of view v are those of `augment.view_draws`.
        disturbance: the camera and the mixing of the views, in words; empty without both.
        views: V.
        shards: S.
        format: `FORMAT`.
    """

    teacher: str
    teacher_sha256: str
    images: int
    images_sha256: str
    classes: int
    augmentation: str
    seed: int
    disturbance: str
    views: int
    shards: int = 1
    format: int = FORMAT

    @property
    def identity(self) -> str:
        """SHA-256 of everything that a logit depends on, 32 of its hexadecimal digits."""
        values = {name: value for name, value in dataclasses.asdict(self).items() if name not in _FREE}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def bytes(self) -> int:
        """Size of all logits."""
        return 2 * self.images * self.views * self.classes


@dataclass(frozen=True)
class LogitsStore:
    """The logits of one teacher in a store."""

    folder: Path
    recipe: Recipe

    @classmethod
    def create(cls, root: Path, recipe: Recipe) -> "LogitsStore":
        """The logits of a recipe in a store; their folder is made if it is not there.

        Raises:
            UserError: the store has them with another number of views or shards, or cannot be written.
        """
        store = cls(root / f"{recipe.teacher}-{recipe.identity}", recipe)
        path = store.folder / DESCRIPTION
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                digests.write_json(path, dataclasses.asdict(recipe))
        except OSError as error:
            raise UserError(f"{root} cannot be written: {error.strerror}") from None
        known = _described(path)
        for name in _FREE:
            mine, theirs = getattr(recipe, name), getattr(known, name)
            if mine != theirs:
                raise UserError(f"{store.folder} has {theirs} {name}, not {mine}: give the same, or another folder")
        return store

    @classmethod
    def open(cls, root: Path, wanted: Recipe) -> "LogitsStore":
        """The logits of a recipe in a store, with at least its number of views and any number of shards.

        Raises:
            UserError: the store does not have them; names what is different in those of the same teacher.
        """
        path = root / f"{wanted.teacher}-{wanted.identity}" / DESCRIPTION
        if not path.exists():
            raise UserError(f"{root} has no logits of teacher {wanted.teacher} {_closest(root, wanted)}")
        known = _described(path)
        if known.views < wanted.views:
            raise UserError(
                f"{path.parent} has {known.views} views, and --distillation.views is {wanted.views}: give at most "
                f"{known.views}, or compute more in another folder"
            )
        return cls(path.parent, known)

    def path(self, shard: int) -> Path:
        """The file of a shard, counted from 1."""
        return self.folder / f"logits-{shard:05}-of-{self.recipe.shards:05}.npy"

    def rows(self, shard: int) -> slice:
        """The images of a shard, counted from 1."""
        images, shards = self.recipe.images, self.recipe.shards
        return slice(images * (shard - 1) // shards, images * shard // shards)

    def compute(self, shard: int, logits_of: Callable[[slice, int], np.ndarray]) -> bool:
        """Compute a shard unless it is there and whole.

        Args:
            shard: counted from 1.
            logits_of: images and the number of a view → float [n, C].

        Returns:
            Whether it was computed.
        """
        fault = self._fault(shard)
        if fault is None:
            return False
        if fault != _MISSING:
            logger.warning("%s %s: it is computed again", self.path(shard), fault)
        rows = self.rows(shard)
        found = np.stack([logits_of(rows, view) for view in range(self.recipe.views)], axis=1).astype(np.float16)
        digests.write_with(self.path(shard), functools.partial(np.save, arr=found))
        return True

    def read(self, views: int) -> np.ndarray:
        """The first views of all images, float16 [N, views, C].

        Raises:
            UserError: shards are missing or damaged; names them.
        """
        self._refuse_faults()
        found = np.empty((self.recipe.images, views, self.recipe.classes), np.float16)
        for shard in range(1, self.recipe.shards + 1):
            found[self.rows(shard)] = np.load(self.path(shard), mmap_mode="r", allow_pickle=False)[:, :views]
        return found

    def by_view(self, views: int) -> ByView:
        """The same logits, read from the files when they are asked for.

        Raises:
            UserError: as `read`.
        """
        self._refuse_faults()
        recipe = self.recipe
        starts = np.array([self.rows(shard).start for shard in range(1, recipe.shards + 1)])
        opened = functools.lru_cache(OPEN_FILES)(lambda shard: on_disk.Rows.open(self.path(shard)).flattened())

        def at(images: np.ndarray, views: np.ndarray) -> np.ndarray:
            found = np.empty((len(images), recipe.classes), np.float16)
            positions = np.searchsorted(starts, images, side="right") - 1
            for position in np.unique(positions).tolist():
                chosen = positions == position
                places = (images[chosen] - starts[position]) * recipe.views + views[chosen]
                found[chosen] = opened(position + 1)[places]
            return found

        return OfView((recipe.images, views, recipe.classes), np.float16, at)

    def _refuse_faults(self) -> None:
        faults = {shard: self._fault(shard) for shard in range(1, self.recipe.shards + 1)}
        bad = [(shard, fault) for shard, fault in faults.items() if fault is not None]
        if bad:
            listed = ", ".join(f"{shard}/{self.recipe.shards} {fault}" for shard, fault in bad[:3])
            more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
            raise UserError(
                f"{self.folder}: shard {listed}{more}: run `python -m keras_satkd.ask` with the same settings and "
                f"--shard {bad[0][0]}/{self.recipe.shards}"
            )

    def _fault(self, shard: int) -> str | None:
        """What is wrong with the file of a shard; None if it is whole."""
        path, rows = self.path(shard), self.rows(shard)
        try:
            if not digests.is_whole(path):
                return "is damaged (its SHA-256 differs)"
            held = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            return _MISSING
        except (OSError, ValueError, EOFError) as error:
            return f"is damaged ({' '.join(str(error).split())})"
        wanted = (rows.stop - rows.start, self.recipe.views, self.recipe.classes)
        return None if (held.shape, held.dtype) == (wanted, np.float16) else f"has the shape {list(held.shape)}"


_MISSING = "is missing"

OPEN_FILES = 128
"""Files of logits that are open at a time for a teacher; a process may have about a thousand."""


def parse_shard(text: str) -> tuple[int, int]:
    """K and N of the text `K/N`.

    Raises:
        UserError: it is no such text, or K is not between 1 and N.
    """
    shard, _, shards = text.partition("/")
    if not (shard.isdecimal() and shards.isdecimal() and 1 <= int(shard) <= int(shards)):
        raise UserError(f"--shard is {text!r}: give K/N with K from 1 to N, such as 3/64")
    return int(shard), int(shards)


def _described(path: Path) -> Recipe:
    try:
        digests.check(path, "remove its folder, and compute the shards again")
        return Recipe(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} cannot be read ({reason}): remove its folder, and compute the shards again") from None


def _closest(root: Path, wanted: Recipe) -> str:
    """What the logits of the same teacher depend on that is not as wanted."""
    for path in sorted(root.glob(f"*/{DESCRIPTION}")):
        known = _described(path)
        if known.teacher != wanted.teacher:
            continue
        for field in dataclasses.fields(Recipe):
            mine, theirs = getattr(wanted, field.name), getattr(known, field.name)
            if field.name not in _FREE and mine != theirs:
                return f"for these settings (its {field.name} is {theirs!r}, wanted is {mine!r}): compute them anew"
    return "in it: run `python -m keras_satkd.ask` with these settings first"
