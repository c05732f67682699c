"""A run's folder: its configuration, what its finished steps found, and where each file is."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_export.errors import UserError
from firmware_export.files import write_json
from keras_satkd.config import Config, flatten, from_dict, to_dict

logger = logging.getLogger(__name__)

RESULTS_FILE = "metrics.json"


class Run:
    """A folder that belongs to one configuration and remembers which steps are done.

    Args:
        workdir: the folder; it need not exist.
        config: the configuration.

    Raises:
        UserError: the folder belongs to another configuration, or is a file, or holds something else.
    """

    def __init__(self, workdir: Path, config: Config) -> None:
        self.workdir, self.config = workdir, config
        if workdir.exists() and not workdir.is_dir():
            raise UserError(f"--workdir {workdir} is a file: give a folder")
        found = _read_json(workdir / "config.json")
        if found is None and workdir.exists() and any(workdir.iterdir()):
            raise UserError(f"--workdir {workdir} holds files but no run: give a new or an empty folder")
        if found is not None and found != to_dict(config):
            raise UserError(
                f"--workdir {workdir} was made with {_difference(found, to_dict(config))}: give another folder"
            )
        self.results: dict[str, Any] = _read_json(workdir / RESULTS_FILE) or {}

    @classmethod
    def existing(cls, workdir: Path) -> "Run":
        """The run that a folder holds, with the configuration noted there.

        Raises:
            UserError: the folder holds no run.
        """
        values = _read_json(workdir / "config.json")
        if values is None:
            raise UserError(f"--workdir {workdir} holds no run: give the folder of a finished one")
        return cls(workdir, from_dict(values, str(workdir / "config.json")))

    def claim(self) -> None:
        """Make the folder this run's, once its inputs are known to be sound: a run that cannot begin leaves nothing.

        Raises:
            UserError: the folder cannot be written.
        """
        try:
            write_json(self.path("config.json"), to_dict(self.config))
        except OSError as error:
            raise UserError(f"--workdir {self.workdir} cannot be written: {error.strerror}") from error

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


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): mend it, or give another --workdir") from None


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    before, now = flatten(found), flatten(wanted)
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    listed = ", ".join(f"{name}={before.get(name)!r} (now {now.get(name)!r})" for name in changed[:3])
    return listed + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
