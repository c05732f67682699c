"""The folder of a run: its configuration, the results of its finished steps, and the paths of its files."""

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import BaseFileLock, Timeout

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.output.folder import REPORT_FILE as EXPORT_REPORT
from firmware_export.output.folder import damaged as damaged_export
from firmware_export.output.folder import read_report
from firmware_export.output.folder import remove as remove_export
from keras_satkd.config import Config
from keras_satkd.config_io import from_dict, to_dict
from keras_satkd.run import history, results_file
from keras_satkd.run.artifacts import CONFIG_FILE, LOCK_FILE, is_left_by_kill
from keras_satkd.run.locks import InUse, lock
from keras_satkd.run.meeting import Meeting
from keras_satkd.run.results_file import FILE as RESULTS_FILE
from keras_satkd.run.results_file import Results
from keras_satkd.run.stages import (
    DATA,
    REPORT,
    Found,
    Stage,
    Step,
    changed_settings,
    first_affected,
    stage_of_phase,
    steps_from,
)

if TYPE_CHECKING:  # it imports TensorFlow
    from keras_satkd.run.remote_folder import RemoteFolder
    from keras_satkd.training.parallel import Parallel

logger = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
LOWERED = "lowered"
TENSORBOARD = "tensorboard"


class Run:
    """A folder that belongs to one configuration and records the finished steps.

    The configuration of an existing folder can change if finished steps before the change are kept, or if no work is
    lost. Results of the affected steps are deleted when the folder is claimed, and the steps are repeated.

    Args:
        workdir: the folder; it need not exist.
        config: the configuration.

    Attributes:
        lowers: whether the next training is written as a program (`training.offload.export_training`) and not run.
        meeting: the processes that train together; None if this is the only one.
        parallel: the devices that train (`training.parallel.Parallel`); None: the only one.
        remote: where the folder is brought whenever it is at rest; None if it is only on this machine.
        results: results of the finished steps, without those that a changed configuration affects.

    Raises:
        UserError: the folder belongs to another configuration, is a file, or contains files but no run.
    """

    def __init__(self, workdir: Path, config: Config) -> None:
        self.workdir, self.config = workdir, config
        self.lowers = False
        self.meeting: Meeting | None = None
        self.parallel: Parallel | None = None
        self.remote: RemoteFolder | None = None
        if workdir.exists() and not workdir.is_dir():
            raise UserError(f"--workdir {workdir} is a file: give a folder")
        found = _config_in(workdir)
        if found is None and workdir.exists() and not all(is_left_by_kill(path.name) for path in workdir.iterdir()):
            raise UserError(f"--workdir {workdir} contains files but no run: give a new or an empty folder")
        self._lock: BaseFileLock | None = None
        self.results, _ = self._unaffected(found or config)
        if damaged := self.damaged():
            self.results = self.results.before(damaged[0][0])

    @classmethod
    def open(cls, workdir: Path) -> "Run":
        """The run in an existing folder.

        Raises:
            UserError: the folder contains no run.
        """
        config = _config_in(workdir)
        if config is None:
            raise UserError(f"--workdir {workdir} contains no run: give the folder of a finished one")
        run = cls(workdir, config)
        run.results = Results.read(run.path(RESULTS_FILE))
        for _, file in run.damaged():
            raise UserError(
                f"{run.path(file)} is damaged (its SHA-256 is not the one in {RESULTS_FILE}): repeat the run's command "
                "with this --workdir, which makes it again"
            )
        return run

    def claim(self) -> None:
        """Reserve the folder for this process and write the configuration.

        It is called after the inputs are checked, so a run that cannot begin changes nothing. Steps that a changed
        configuration affects are deleted. The folder stays reserved as long as this object exists.

        Of processes that train together, the chief does this, and the others wait for it.

        Raises:
            InUse: another running process has claimed the folder.
            UserError: the folder cannot be written.
        """
        if self.is_chief:
            self._claim()
            self._save()
        if self.meeting is not None:
            self.meeting.agree({"run": "claimed"})
        if not self.is_chief:
            self.results = Results.read(self.path(RESULTS_FILE))

    def _claim(self) -> None:
        try:
            self.workdir.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self.path(LOCK_FILE), waits=False)
            # Another process may have changed the folder since this run was opened.
            before = _config_in(self.workdir) or self.config
            self.results, affected = self._unaffected(before)
            if affected is not None:
                self._drop(affected, before)
            if damaged := self.damaged():
                self._repeat(damaged)
            digests.write_json(self.path(CONFIG_FILE), to_dict(self.config))
        except Timeout:
            raise InUse(
                f"--workdir {self.workdir} is in use by another process: wait, or give another folder"
            ) from None
        except OSError as error:
            raise UserError(f"--workdir {self.workdir} cannot be written: {error.strerror}") from error

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run's folder; it does not if it only trains with the one that does."""
        return self.meeting is None or self.meeting.is_chief

    def _unaffected(self, before: Config) -> tuple[Results, Stage | None]:
        """The results that are valid for this configuration, and the first stage that it changes."""
        found = Results.read(self.path(RESULTS_FILE))
        affected = first_affected(before, self.config)
        if affected is None:
            return found, None
        kept = found.before(affected)
        if self.has_begun(affected) and not any(step != DATA for step in kept.steps()):
            changes = describe_changes(changed_settings(before, self.config))
            raise UserError(f"--workdir {self.workdir} was made with {changes}: give another folder")
        return kept, affected

    def damaged(self) -> list[tuple[Stage, str]]:
        """Files of finished steps that are not as they were written, with the stages of the steps, the first first.

        Missing files count too, unless the run is finished: then nothing needs them, and exported files belong to the
        user. The file of the split is written again without repeating a step.
        """
        found = []
        for step in self.results.steps():
            for file, digest in (self.results[step].sha256 or {}).items():
                path = self.path(file)
                is_lost = not path.exists() and REPORT not in self.results
                if step is not DATA and (is_lost or (path.exists() and digests.of(path) != digest)):
                    found.append((step.stage, file))
            if step.export is not None and REPORT not in self.results:
                found += [(step.stage, f"{step.export}/{name}") for name in self._damaged_export(step.export)]
        return sorted(found)

    def _damaged_export(self, folder: str) -> list[str]:
        try:
            return damaged_export(self.path(folder), read_report(self.path(folder)))
        except (FileNotFoundError, UserError):
            return [EXPORT_REPORT]

    def _repeat(self, found: list[tuple[Stage, str]]) -> None:
        """Forget the results of the first damaged step and later ones. Trainings repeat from their checkpoints."""
        names = ", ".join(file for _, file in found[:3]) + _more(len(found))
        stage = found[0][0]
        self.results = self.results.before(stage)
        self.results.write(self.path(RESULTS_FILE))
        logger.warning("%s: %s damaged or missing, so these steps are repeated: %s", self.workdir, names, _from(stage))

    def has_begun(self, stage: Stage) -> bool:
        """Whether the folder contains results of this stage or later ones, finished or not."""
        finished = Results.read(self.path(RESULTS_FILE)).steps()
        return any(step.stage >= stage for step in finished) or bool(self._phases_from(stage))

    def _phases_from(self, stage: Stage) -> list[str]:
        """Phases of this stage and later ones that have epochs, a checkpoint or a program."""
        phases = [row["phase"] for row in history.read(self.path(history.FILE))]
        phases += [path.name for folder in (CHECKPOINTS, LOWERED) for path in self.path(folder).glob("*")]
        return [phase for phase in dict.fromkeys(phases) if stage_of_phase(phase) >= stage]

    def _drop(self, stage: Stage, before: Config) -> None:
        """Delete the files of this stage and later ones. Can be repeated until the new configuration is written."""
        dropped = Results.read(self.path(RESULTS_FILE))
        phases = self._phases_from(stage)
        if self.results or dropped:
            self.results.write(self.path(RESULTS_FILE))
        history.drop_phases(self.path(history.FILE), phases)
        for folder in (CHECKPOINTS, LOWERED, TENSORBOARD):
            for phase in phases:
                shutil.rmtree(self.path(folder, phase), ignore_errors=True)
        # Also of a step that failed after it had written some of them.
        rounds = [step for step in dropped.steps() if step.stage is Stage.DISTILLATION >= stage]
        for step in [*steps_from(stage), *rounds]:
            for file in step.files:
                digests.remove(self.path(file))
            if step.export is not None:
                remove_export(self.path(step.export))
        changed = _names(before, self.config)
        logger.warning("%s: %s changed, so these steps are repeated: %s", self.workdir, changed, _from(stage))

    def path(self, *parts: str) -> Path:
        """A file or folder of the run."""
        return self.workdir.joinpath(*parts)

    def step(self, step: Step[Found], work: Callable[[], Found]) -> Found:
        """The result of a step: from `work`, or from an earlier call if the step is finished.

        Args:
            step: the step.
            work: writes the step's files, then returns its result. It is called only if the step is not finished. In
                a process that is not the chief, it is called for trainings only, and must write nothing.
        """
        if step not in self.results and not self.is_chief:
            if step.phase is not None:
                work()
            self._await(step)
        if step not in self.results:
            logger.info("%s", step.name)
            began = time.monotonic()
            found = work()
            written = [file for file in step.files if step.stage < Stage.REPORT and self.path(file).exists()]
            sha256 = {file: digests.of(self.path(file)) for file in written} or None
            self.results[step] = replace(found, sha256=sha256, seconds=round(time.monotonic() - began, 1))
            self.results.write(self.path(RESULTS_FILE))
            self._save()
        return self.results[step]

    def _save(self) -> None:
        if self.remote is not None:
            self.remote.save()

    def _await(self, step: Step[Found]) -> None:
        """Wait until the chief has finished a step."""
        assert self.meeting is not None

        def is_done() -> bool:
            with contextlib.suppress(UserError):  # the chief writes them at this moment
                self.results = Results.read(self.path(RESULTS_FILE))
            return step in self.results

        self.meeting.wait(step.name, is_done)


def _config_in(workdir: Path) -> Config | None:
    """The run's configuration. Settings that did not exist when the run began get their defaults."""
    path = workdir / CONFIG_FILE
    values = results_file.read_json(path)
    return None if values is None else from_dict(values, str(path))


def describe_changes(changes: Mapping[str, tuple[object, object]]) -> str:
    """Names of changed settings with their values before and now, as in `seed=0 (now 1)`; at most three of them."""
    listed = ", ".join(f"{name}={before!r} (now {now!r})" for name, (before, now) in list(changes.items())[:3])
    return listed + _more(len(changes))


def _from(stage: Stage) -> str:
    return ", ".join(each.name.lower() for each in Stage if each >= stage and each is not Stage.STUDY)


def _names(found: Config, wanted: Config) -> str:
    changed = changed_settings(found, wanted)
    return ", ".join(list(changed)[:3]) + _more(len(changed))


def _more(changed: int) -> str:
    return f" and {changed - 3} more" if changed > 3 else ""
