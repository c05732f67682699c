"""A run's folder: its configuration, what its finished steps found, and where each file is."""

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from firmware_export.common.errors import UserError
from firmware_export.common.files import write_json
from keras_satkd.config import Config, from_dict, to_dict
from keras_satkd.run import history, results_file
from keras_satkd.run.results_file import FILE as RESULTS_FILE
from keras_satkd.run.results_file import Results
from keras_satkd.run.stages import DATA, Found, Stage, Step, changed_settings, first_affected, stage_of_phase

logger = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
LOCK_FILE = "run.lock"
CHECKPOINTS = "checkpoints"
LOWERED = "lowered"
TENSORBOARD = "tensorboard"


class InUse(UserError):
    """Another process works in the folder."""


class Run:
    """A folder that belongs to one configuration and remembers which steps are done.

    An existing folder takes a changed configuration if work of the steps before the change is kept, or nothing is lost.
    The affected steps are then dropped when the folder is claimed, and done anew.

    Args:
        workdir: the folder; it need not exist.
        config: the configuration.

    Attributes:
        lowers: the next training is not done but written as a program (`training.offload.export_training`).
        results: what the finished steps found, without those that a changed configuration affects.

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
        # One for all runs of a folder in this process: only other processes are kept out.
        self._lock = FileLock(self.path(LOCK_FILE), is_singleton=True)
        self.results, _ = self._unaffected(found or config)

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
        """Make the folder this run's, once its inputs are checked: a run that cannot begin changes nothing.

        Steps that a changed configuration affects are dropped. The folder is this process's as long as the run lives.

        Raises:
            InUse: another process has claimed the folder and lives.
            UserError: the folder cannot be written.
        """
        try:
            self.workdir.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
            # Another process may have worked here since this run was opened.
            before = _config_in(self.workdir) or self.config
            self.results, affected = self._unaffected(before)
            if affected is not None:
                self._drop(affected, before)
            write_json(self.path(CONFIG_FILE), to_dict(self.config))
        except Timeout:
            raise InUse(
                f"--workdir {self.workdir} is in use by another process: wait, or give another folder"
            ) from None
        except OSError as error:
            raise UserError(f"--workdir {self.workdir} cannot be written: {error.strerror}") from error

    def _unaffected(self, before: Config) -> tuple[Results, Stage | None]:
        """The results that this configuration leaves valid, and the first stage that it changes."""
        found = Results.read(self.path(RESULTS_FILE))
        affected = first_affected(before, self.config)
        if affected is None:
            return found, None
        kept = found.before(affected)
        is_begun = any(step.stage >= affected for step in found.steps()) or bool(self._phases_from(affected))
        if is_begun and not any(step != DATA for step in kept.steps()):
            raise UserError(
                f"--workdir {self.workdir} was made with {_difference(before, self.config)}: give another folder"
            )
        return kept, affected

    def _phases_from(self, stage: Stage) -> list[str]:
        """Phases of a stage and those after it that have epochs, a checkpoint or a program."""
        phases = [row["phase"] for row in history.read(self.path(history.FILE))]
        phases += [path.name for folder in (CHECKPOINTS, LOWERED) for path in self.path(folder).glob("*")]
        return [phase for phase in dict.fromkeys(phases) if stage_of_phase(phase) >= stage]

    def _drop(self, stage: Stage, before: Config) -> None:
        """Remove what a stage and those after it left; it can be repeated until the new configuration is noted."""
        dropped = Results.read(self.path(RESULTS_FILE))
        phases = self._phases_from(stage)
        if self.results or dropped:
            self.results.write(self.path(RESULTS_FILE))
        history.drop_phases(self.path(history.FILE), phases)
        for folder in (CHECKPOINTS, LOWERED, TENSORBOARD):
            for phase in phases:
                shutil.rmtree(self.path(folder, phase), ignore_errors=True)
        for file in dropped.files(stage):
            self.path(file).unlink(missing_ok=True)
        redone = ", ".join(each.name.lower() for each in Stage if each >= stage and each is not Stage.STUDY)
        logger.warning(
            "%s: %s changed, these steps are done again: %s", self.workdir, _names(before, self.config), redone
        )

    def path(self, *parts: str) -> Path:
        """A file or folder of the run."""
        return self.workdir.joinpath(*parts)

    def step(self, step: Step[Found], work: Callable[[], Found]) -> Found:
        """What `work` found, or what it found when it was done before.

        Args:
            step: which.
            work: writes its files, then returns its result. It is called only if it never returned before.
        """
        if step not in self.results:
            logger.info("%s", step.name)
            began = time.monotonic()
            found = work()
            self.results[step] = replace(found, seconds=round(time.monotonic() - began, 1))
            self.results.write(self.path(RESULTS_FILE))
        return self.results[step]


def _config_in(workdir: Path) -> Config | None:
    """The run's configuration; settings that are younger than the run have their defaults."""
    path = workdir / CONFIG_FILE
    values = results_file.read_json(path)
    return None if values is None else from_dict(values, str(path))


def _difference(found: Config, wanted: Config) -> str:
    changed = changed_settings(found, wanted)
    listed = ", ".join(f"{name}={before!r} (now {now!r})" for name, (before, now) in list(changed.items())[:3])
    return listed + _more(len(changed))


def _names(found: Config, wanted: Config) -> str:
    changed = changed_settings(found, wanted)
    return ", ".join(list(changed)[:3]) + _more(len(changed))


def _more(changed: int) -> str:
    return f" and {changed - 3} more" if changed > 3 else ""
