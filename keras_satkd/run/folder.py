"""A run's folder: its configuration, what its finished steps found, and where each file is."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from firmware_export.common.errors import UserError
from firmware_export.common.files import write_json
from keras_satkd.config import Config, flatten, from_dict, to_dict

logger = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
RESULTS_FILE = "metrics.json"
LOCK_FILE = "run.lock"


class InUse(UserError):
    """Another process works in the folder."""


class Run:
    """A folder that belongs to one configuration and remembers which steps are done.

    Args:
        workdir: the folder; it need not exist.
        config: the configuration.

    Attributes:
        lowers: the next training is not done but written as a program (`training.offload.export_training`).

    Raises:
        UserError: the folder belongs to another configuration, or is a file, or holds something else.
    """

    def __init__(self, workdir: Path, config: Config) -> None:
        self.workdir, self.config = workdir, config
        self.lowers = False
        if workdir.exists() and not workdir.is_dir():
            raise UserError(f"--workdir {workdir} is a file: give a folder")
        found = _config_in(workdir)
        if found is None and workdir.exists() and any(workdir.iterdir()):
            raise UserError(f"--workdir {workdir} holds files but no run: give a new or an empty folder")
        if found is not None and found != config:
            raise UserError(f"--workdir {workdir} was made with {_difference(found, config)}: give another folder")
        # One for all runs of a folder in this process: only other processes are kept out.
        self._lock = FileLock(self.path(LOCK_FILE), is_singleton=True)
        self.results: dict[str, Any] = _read_json(workdir / RESULTS_FILE) or {}

    @classmethod
    def open(cls, workdir: Path) -> "Run":
        """The run that is in a folder already.

        Raises:
            UserError: there is none.
        """
        config = _config_in(workdir)
        if config is None:
            raise UserError(f"--workdir {workdir} holds no run: give the folder of a finished one")
        return cls(workdir, config)

    def claim(self) -> None:
        """Make the folder this run's, once its inputs are known to be sound: a run that cannot begin leaves nothing.

        It is this process's, too, as long as the run lives.

        Raises:
            InUse: another process has claimed the folder and lives.
            UserError: the folder cannot be written.
        """
        try:
            self.workdir.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
            write_json(self.path(CONFIG_FILE), to_dict(self.config))
        except Timeout:
            raise InUse(
                f"--workdir {self.workdir} is in use by another process: wait, or give another folder"
            ) from None
        except OSError as error:
            raise UserError(f"--workdir {self.workdir} cannot be written: {error.strerror}") from error
        # What another process found before it let go.
        self.results = _read_json(self.path(RESULTS_FILE)) or {}

    def path(self, *parts: str) -> Path:
        """A file or folder of the run."""
        return self.workdir.joinpath(*parts)

    def step(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `work` found, or what it found when it was done before.

        Args:
            name: the step's name in `metrics.json`.
            work: writes its files, then returns a JSON-able summary. It is called only if it never returned before.
        """
        if name not in self.results:
            logger.info("%s", name)
            began = time.monotonic()
            found = work()
            self.results[name] = {**found, "seconds": round(time.monotonic() - began, 1)}
            write_json(self.path(RESULTS_FILE), self.results)
        return self.results[name]


def _config_in(workdir: Path) -> Config | None:
    """The run's configuration; settings that are younger than the run have their defaults."""
    path = workdir / CONFIG_FILE
    values = _read_json(path)
    return None if values is None else from_dict(values, str(path))


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): mend it, or give another --workdir") from None


def _difference(found: Config, wanted: Config) -> str:
    before, now = flatten(to_dict(found)), flatten(to_dict(wanted))
    changed = [name for name in before if before[name] != now[name]]
    listed = ", ".join(f"{name}={before[name]!r} (now {now[name]!r})" for name in changed[:3])
    return listed + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
