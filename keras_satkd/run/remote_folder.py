"""A run's folder in object storage: a run works on a copy on this machine, and brings what changes there."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import Timeout

from firmware_export.common import files
from firmware_export.common.errors import UserError
from keras_satkd.data.cache import cache_folder
from keras_satkd.data.remote import Mirror
from keras_satkd.run.artifacts import CONFIG_FILE, is_left_by_kill, is_of_process
from keras_satkd.run.locks import InUse, lock

logger = logging.getLogger(__name__)

Facts = dict[str, list[int]]
"""Size in bytes and time in nanoseconds of files, by their paths below the folder."""


class RemoteFolder:
    """The copy of a run's folder below the cache folder.

    Another machine may have continued the run: then the copy is made again. If it was this one, the copy is kept, with
    what it holds beyond the objects, such as the last epochs before a loss of the network.

    Args:
        url: of the folder, `s3://BUCKET/NAME` or `gs://BUCKET/NAME`; it need not exist.
        cache_dir: the cache folder, or None for the user's.

    Attributes:
        folder: the copy.
        url: of the folder.

    Raises:
        InUse: another process on this machine works on this run.
        UserError: the folder cannot be read, or holds objects but no run; or the cache folder cannot be written.
    """

    def __init__(self, url: str, cache_dir: str | None) -> None:
        named = Mirror.of(url, cache_dir)
        assert named is not None
        self.url = named.url
        # Flat, so that no copy lies in another one, though one run may lie in another's folder.
        scheme, _, place = self.url.partition("://")
        copies, name = cache_folder(cache_dir) / "runs" / scheme, quote(place).replace("/", "+")
        self.folder, self._facts = copies / name, copies / ".state" / f"{name}.json"
        self._mirror = Mirror(self.folder, self.url)
        logger.info("%s: the copy on this machine is %s", self.url, self.folder)
        try:
            self._facts.parent.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self._facts.with_suffix(".lock"), waits=False)
        except Timeout:
            raise InUse(f"--workdir {self.url} is in use by another process of this machine: wait") from None
        except OSError as error:
            raise UserError(f"{copies} cannot be written ({error.strerror}): set --data.cache-dir") from error
        there = self._mirror.listed()
        if there and CONFIG_FILE not in there and not all(is_left_by_kill(name.partition("/")[0]) for name in there):
            raise UserError(f"--workdir {self.url} contains files but no run: give a new or an empty folder")
        before = _read(self._facts)
        if before["there"] == there and self.folder.exists():
            self._saved: Facts = before["here"]
            return
        if there:
            self._mirror.pull(is_exact=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._saved = self._here()

    def save(self) -> None:
        """Bring to object storage what has changed since the last call, in the order in which it was written.

        So an interruption leaves there what one at that moment would have left here. Files of an older configuration
        are deleted before the new configuration is there.

        Raises:
            UserError: it cannot be written.
        """
        here = self._here()
        changed = sorted((name for name in here if here[name] != self._saved.get(name)), key=lambda name: here[name][1])
        if not changed and here.keys() == self._saved.keys():
            return
        self._mirror.push(self.folder / name for name in changed if name != CONFIG_FILE)
        self._mirror.remove(name for name in self._saved if name not in here)
        self._mirror.push(self.folder / name for name in changed if name == CONFIG_FILE)
        self._saved = here
        files.write_json(self._facts, {"here": here, "there": self._mirror.listed()})

    def save_epoch(self) -> None:
        """The same after an epoch, where a network that fails ends no training: it is logged."""
        try:
            self.save()
        except UserError as error:
            logger.warning("%s; this epoch is on this machine alone until the next one is saved", error)

    def _here(self) -> Facts:
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and not path.name.startswith(".") and not is_of_process(name.partition("/")[0]):
                facts = path.stat()
                found[name] = [facts.st_size, facts.st_mtime_ns]
        return found


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"here": dict(found["here"]), "there": dict(found["there"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"here": {}, "there": None}
