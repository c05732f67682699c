"""What the processes that train together tell each other, in the folder `workers` of their run.

Each process has one file there, which it writes anew about every second, and reads those of the others. A file that
does not change is of a process that has died, so no clocks are compared. This works before TensorFlow connects the
processes, and while its operations wait for each other: then only a thread can find out that they wait for nobody.
"""

import contextlib
import json
import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, Timeout

from firmware_export.common import files
from firmware_export.common.errors import UserError, exit_code
from firmware_export.common.templating import one_line
from keras_satkd.run.artifacts import MEETING_FOLDER
from keras_satkd.run.cluster import Cluster
from keras_satkd.run.locks import lock

logger = logging.getLogger(__name__)


_SECONDS = 1.0
"""Between two looks at the others."""

_LAST_SECONDS = 5.0
"""For the message, and for the clean-up of a process that ends before its work is done."""

_REPEAT = "repeat the command of every process to resume"

_CUT_OFF = ("AbortedError", "CancelledError", "DeadlineExceededError", "UnavailableError")
"""TensorFlow's errors of operations that wait for other processes."""


def _exit(message: str) -> None:
    """End the process from a thread: the others may block the main thread in an operation that never ends."""
    try:
        print(f"error: {message}", file=sys.stderr, flush=True)
    finally:  # also if nobody reads it
        os._exit(2)


class Meeting:
    """This process among those that train together.

    Args:
        workdir: the run's folder, which all of them see.
        cluster: the processes.
        timeout: seconds after which a process that is not heard counts as lost.
        end: called by a thread with the reason if another process is lost; ends this one.

    Raises:
        UserError: the folder cannot be written, or another process has the same place in the cluster.
    """

    def __init__(self, workdir: Path, cluster: Cluster, timeout: float, end: Callable[[str], None] = _exit) -> None:
        self.cluster, self._timeout, self._end = cluster, timeout, end
        self._workdir, self._folder = workdir, workdir / MEETING_FOLDER
        self._said: dict[str, Any] = {"session": secrets.token_hex(8), "beat": 0, "facts": {}, "heard": {}}
        self._others = [_Other(position) for position in range(len(cluster)) if position != cluster.position]
        self._writing, self._is_over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="meeting")
        self._lock = self._take_place()

    def _take_place(self) -> BaseFileLock:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return lock(self._folder / f"{self.cluster.position}.lock", waits=False)
        except Timeout:
            raise UserError(
                f"--workdir {self._workdir} has another process that is {self._name(self.cluster.position)}: give each "
                "process a task.index of its own in TF_CONFIG"
            ) from None
        except OSError as error:
            raise UserError(
                f"--workdir {self._workdir} cannot be written: {error.strerror}; all processes must be able to"
            ) from error

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run's folder."""
        return self.cluster.is_chief

    def join(self, facts: Mapping[str, Any]) -> None:
        """Wait for all processes, and compare facts with theirs, as `agree` does.

        Raises:
            UserError: a process does not come in time, or has another fact.
        """
        self._say(facts)
        logger.info("waiting for %s", ", ".join(self.cluster.describe(other.position) for other in self._others))
        began = time.monotonic()
        while True:
            self._look()
            late = [other for other in self._others if not self._has_joined(other)]
            if not late:
                break
            if time.monotonic() - began > self._timeout:
                raise UserError(
                    f"{self._name(late[0].position)} is not heard within {self._timeout:g} s: start it with the same "
                    f"--workdir {self._workdir}, or raise --worker-timeout"
                )
            time.sleep(_SECONDS / 5)
        self._thread.start()
        self.agree(facts)

    def _has_joined(self, other: "_Other") -> bool:
        """Whether a process is alive and has heard this one."""
        if not other.is_alive or other.ended is not None:
            self._said["heard"].pop(str(other.position), None)
            return False
        self._said["heard"][str(other.position)] = other.said["session"]
        return bool(other.said["heard"].get(str(self.cluster.position)) == self._said["session"])

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Wait until all processes have told these facts, and compare them with the chief's.

        Raises:
            UserError: a process has another one.
        """
        self._say(facts)
        for name in facts:
            while not all(name in other.facts for other in self._others):
                time.sleep(_SECONDS / 5)
            told = {other.position: other.facts[name] for other in self._others} | {self.cluster.position: facts[name]}
            for position, value in told.items():
                if value != told[0]:
                    raise UserError(
                        f"{self._name(position)} has another {name} than {self._name(0)}{_difference(value, told[0])}: "
                        "give all processes the same"
                    )

    def wait(self, step: str, is_done: Callable[[], bool]) -> None:
        """Wait for something that the chief does. If the chief dies, the process ends."""
        logger.info("waiting for %s, which does the step %s", self._name(0), step)
        while not is_done():
            time.sleep(_SECONDS / 5)

    def part(self) -> None:
        """Wait until all processes have come here; after that, none needs the others."""
        self._say({"is done": True})
        while not all("is done" in other.facts for other in self._others):
            time.sleep(_SECONDS / 5)
        # The others have at least the time limit to read it.
        self._close("")

    def hold(self) -> None:
        """Give the thread the time to tell why TensorFlow failed, if it failed because another process is lost."""
        time.sleep(self._timeout + 3 * _SECONDS)

    def leave(self, reason: str) -> None:
        """Tell the others that this process ends before its work is done, and why."""
        if not self._is_over.is_set():
            self._close(reason)

    def _close(self, reason: str) -> None:
        self._is_over.set()
        self._say({}, ended=reason)

    def _say(self, facts: Mapping[str, Any], ended: str | None = None) -> None:
        with self._writing:
            self._said["facts"] |= facts
            self._said["beat"] += 1
            if ended is not None:
                self._said["ended"] = ended
            # Without a wait for the disk: what a computer that loses its power has said does not matter.
            path = self._folder / f"{self.cluster.position}.json"
            temporary = path.with_suffix(".new")
            temporary.write_text(json.dumps(self._said), encoding="utf-8")
            temporary.replace(path)

    def _look(self) -> None:
        self._say({})
        for other in self._others:
            other.look(self._folder / f"{other.position}.json")

    def _watch(self) -> None:
        reason = None
        while reason is None and not self._is_over.wait(_SECONDS):
            try:
                self._look()
                reason = self._reason()
            except OSError as error:
                reason = f"{self._folder} cannot be written: {error.strerror}: {_REPEAT}"
        if reason is not None and not self._is_over.is_set():
            with contextlib.suppress(OSError):
                self._close(reason)
            self._end(reason)

    def _reason(self) -> str | None:
        """Why this process cannot go on; None if it can."""
        for other in self._others:
            name = self._name(other.position)
            if other.ended:
                return f"{name} has ended ({other.ended}): {_REPEAT}"
            if other.ended is None and other.said["session"] != self._said["heard"][str(other.position)]:
                return f"{name} was started again: {_REPEAT}"
            if other.ended is None and other.silence() > self._timeout:
                return f"{name} is not heard for {self._timeout:g} s, so it was killed or cut off: {_REPEAT}"
        return None

    def _name(self, position: int) -> str:
        return self.cluster.describe(position)


class _Other:
    """What is known of another process."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.said: dict[str, Any] = {}
        self.is_alive = False
        self._heard = time.monotonic()

    def look(self, path: Path) -> None:
        with contextlib.suppress(OSError, ValueError):
            said = json.loads(files.read_text(path))
            if said != self.said:
                # The first look may find what a process said that died long ago.
                self.is_alive = bool(self.said)
                self.said, self._heard = said, time.monotonic()

    @property
    def facts(self) -> dict[str, Any]:
        return dict(self.said.get("facts", {}))

    @property
    def ended(self) -> str | None:
        """Why it ended; empty if its work was done; None if it has not."""
        return self.said.get("ended")

    def silence(self) -> float:
        return time.monotonic() - self._heard


def _difference(value: Any, chief: Any) -> str:
    """What differs, in brackets, where it can be said in a few words."""
    if isinstance(value, dict) and isinstance(chief, dict):
        name = next(name for name in value | chief if value.get(name) != chief.get(name))
        return f" ({name}: {value.get(name)!r}, not {chief.get(name)!r})"
    return f" ({value}, not {chief})"


def _end_soon(code: int) -> None:
    last = threading.Timer(_LAST_SECONDS, os._exit, (code,))
    last.daemon = True
    last.start()


@contextlib.contextmanager
def leaves(meeting: Meeting | None) -> Iterator[None]:
    """Tell the others if the block ends with an exception.

    The process then has `_LAST_SECONDS` left: TensorFlow may wait at its end for processes that wait for this one.
    """
    try:
        yield
    except BaseException as error:
        if meeting is not None:
            if type(error).__module__.startswith("tensorflow"):
                meeting.hold()
            with contextlib.suppress(OSError):
                is_interrupt = isinstance(error, KeyboardInterrupt)
                meeting.leave("it was interrupted" if is_interrupt else one_line(str(error) or repr(error))[:300])
            _end_soon(exit_code(error))
            if type(error).__name__ in _CUT_OFF:
                reason = one_line(str(error))[:200]
                raise UserError(f"the connection to the other processes broke ({reason}): {_REPEAT}") from error
        raise
