"""The step that a command is at: told on stderr if it takes long, and named if a time limit ends the command."""

import functools
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from firmware_export.common.errors import UserError

FIRST_SECONDS = 5.0
"""A step that takes longer is told; then again after twice as long each time, but at least every `LAST_SECONDS`."""
LAST_SECONDS = 60.0
GRACE_SECONDS = 10.0
"""After a time limit, how long a library's call may go on before the process ends all the same."""
LONGEST_LIMIT = 1e7

_TICK_SECONDS = 0.25

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass
class _Step:
    name: str
    began: float = field(default_factory=time.monotonic)
    done: int = 0
    total: int = 0
    has_bar: bool = False

    def told(self, now: float) -> str:
        taken = now - self.began
        if not self.total:
            return f"{self.name}: {taken:.0f} s so far"
        left = f", about {_duration(taken / self.done * (self.total - self.done))} left" if self.done else ""
        return f"{self.name}: {self.done} of {self.total} after {_duration(taken)}{left}"


_steps: list[_Step] = [_Step("exporting")]


class _TimeIsUp(BaseException):  # no `except Exception` or `except UserError` on the way may take it for its own
    pass


def step(name: str) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Make calls of a function a step with this name."""

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @functools.wraps(function)
        def called(*arguments: Parameters.args, **named: Parameters.kwargs) -> Result:
            _steps.append(_Step(name))
            try:
                return function(*arguments, **named)
            finally:
                _steps.pop()

        return called

    return decorate


def at(done: int, total: int, *, has_bar: bool = False) -> None:
    """Tell how much of the current step is done.

    Args:
        done: out of `total`.
        total: 0 if not known.
        has_bar: whether a progress bar shows it, so that no line is needed.
    """
    current = _steps[-1]
    current.done, current.total, current.has_bar = done, total, has_bar


def check_limit(seconds: float | None) -> None:
    """Refuse a time limit that is none.

    Raises:
        UserError: it is not positive, or above `LONGEST_LIMIT`.
    """
    if seconds is not None and not 0 < seconds <= LONGEST_LIMIT:
        raise UserError(f"--time-limit {seconds:g}, a number of seconds from 0 to {LONGEST_LIMIT:,.0f} expected")


@contextmanager
def watched(limit_seconds: float | None) -> Iterator[Callable[[], None]]:
    """Tell long steps, and end the block after a time limit. In the main thread only.

    Args:
        limit_seconds: as `check_limit` accepts it; None for no limit.

    Yields:
        A function that lifts the limit, to be called before files are written.

    Raises:
        UserError: the time limit is reached; the message names the step. If a library's call does not return within
            `GRACE_SECONDS`, the process prints the same message and exits with code 2.
    """
    watch = _Watch(limit_seconds)
    before = signal.signal(signal.SIGALRM, _ring) if limit_seconds is not None else None
    if limit_seconds is not None:
        signal.setitimer(signal.ITIMER_REAL, max(limit_seconds, 0.001))  # less would count as none
    watch.start()
    try:
        yield watch.lift
    except _TimeIsUp as error:
        os.dup2(watch.stderr, 2)  # it may have come while a library's messages were captured
        raise UserError(watch.message(str(error))) from None
    finally:
        watch.lift()
        watch.stop()
        if limit_seconds is not None:
            signal.signal(signal.SIGALRM, before)


def _ring(*_: object) -> None:
    current = _steps[-1]
    raise _TimeIsUp(current.name + (f" ({current.done} of {current.total})" if current.total else ""))


class _Watch(threading.Thread):
    def __init__(self, limit_seconds: float | None) -> None:
        super().__init__(daemon=True)
        self.limit_seconds = limit_seconds
        self.stderr = os.dup(2)  # the number 2 may be redirected while a library runs
        self._ends = math.inf if limit_seconds is None else time.monotonic() + limit_seconds + GRACE_SECONDS
        self._is_told = logging.getLogger("firmware_export").isEnabledFor(logging.INFO)
        self._stopped = threading.Event()

    def message(self, name: str) -> str:
        return (
            f"--time-limit {self.limit_seconds:g}: this step did not end: {name}; nothing was written: give more time, "
            "a smaller model or smaller images"
        )

    def lift(self) -> None:
        self._ends = math.inf
        if self.limit_seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        os.close(self.stderr)

    def run(self) -> None:
        current = _steps[-1]
        wait = time.monotonic() - current.began + FIRST_SECONDS
        while not self._stopped.wait(_TICK_SECONDS):
            now, newest = time.monotonic(), _steps[-1]
            if newest is not current:
                # A step that goes on after another within it has a past already.
                current, wait = newest, now - newest.began + FIRST_SECONDS
            if now > self._ends:
                self._write(f"error: {self.message(current.name)}")
                os._exit(2)
            if now - current.began >= wait:
                wait += min(max(wait, FIRST_SECONDS), LAST_SECONDS)
                if self._is_told and not current.has_bar:
                    self._write(current.told(now))

    def _write(self, line: str) -> None:
        os.write(self.stderr, f"{line}\n".encode(errors="replace"))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
