"""Errors that the user can fix: one line, exit code 2, no traceback."""

import contextlib
import difflib
import errno
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import NoReturn

from firmware_export.common import invocation

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_TEXTS = re.compile(r"No space left on device|Disk quota exceeded|File too large|^\d+ requested and \d+ written$")

_EARLY_CLOCK = "ZIP does not support timestamps before 1980"

_OF_THE_PATH = (
    errno.EACCES,
    errno.EEXIST,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)


class UserError(Exception):
    """An error that the user can fix.

    The message is one line: the bad value, what was expected, what to do.
    """


class Terminated(KeyboardInterrupt):
    """SIGTERM, as a batch queue sends it before it ends a job."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not in `known`; suggests the nearest match."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return UserError(f"unknown {kind} {name!r}: {hint}choose from {', '.join(known)}")


def exit_on_user_error(main: Callable[[], None], *, is_resumable: bool = False) -> NoReturn:
    """Run `main` and exit; print a `UserError` as one line on stderr and exit with code 2.

    Ctrl-C exits with 130 and SIGTERM with 143, as a shell expects; both print the command to type next. If the reader
    of a pipe closes it, the exit code is 141, without a message. Any other exception is a defect of this program and
    keeps its traceback.

    Args:
        main: the program.
        is_resumable: whether the same command resumes after an interruption; otherwise it starts over.
    """
    _prepare_streams()
    with _sigterm_interrupts():
        _run_and_exit(main, is_resumable=is_resumable)


def exit_code(error: BaseException) -> int:
    """What `exit_on_user_error` exits with after Ctrl-C (130), SIGTERM (143), or a `UserError` (2)."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)
    return 2


def _run_and_exit(main: Callable[[], None], *, is_resumable: bool) -> NoReturn:
    try:
        main()
        sys.stdout.flush()
    except UserError as error:
        _fail(str(error))
    except KeyboardInterrupt as interrupt:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # the line holds the terminal's ^C and perhaps an unfinished progress bar
        print(f"interrupted; to {'resume' if is_resumable else 'start over'}: {invocation.command()}", file=sys.stderr)
        sys.exit(exit_code(interrupt))
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe. Python would flush stdout again at exit and print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        if (message := _message(error)) is None:
            raise
        _fail(message)
    sys.exit(0)


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM within the block, unless the process ignores or handles that signal already."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a queue may send it again, which must not end the clean-up
        raise Terminated

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _prepare_streams() -> None:
    """Make the standard streams usable: closed ones are empty, and any text can be written to the others."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            # Otherwise, the next file that is opened would get this number, and messages would be written into it.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    from rich.console import Console

    # rich would end the program with code 1 if the reader of a pipe closes it.
    setattr(Console, "on_broken_pipe", _raise_broken_pipe)  # noqa: B010  (mypy refuses an assignment)


def _raise_broken_pipe(_console: object) -> NoReturn:
    raise BrokenPipeError


def _message(error: Exception) -> str | None:
    """The line for an error of the system that the user can fix; None for a defect of this program."""
    where = f" of {error.filename}" if isinstance(error, OSError) and error.filename else ""
    if is_disk_full(error):
        return f"no space left on the device{where}: free some and run the same command again"
    if isinstance(error, UnicodeError) and sys.getfilesystemencoding() != "utf-8":
        return (
            f"names with characters outside {sys.getfilesystemencoding()} cannot be used in this environment: set "
            "PYTHONUTF8=1, or LC_ALL to a UTF-8 locale such as C.UTF-8"
        )
    if isinstance(error, OSError) and error.filename is not None and error.errno in _OF_THE_PATH:
        return f"{error.filename}: {error.strerror}: check the path and its permissions"
    if str(error) == _EARLY_CLOCK:  # a .keras file is a zip
        return "the system clock is before 1980, which a zip file cannot state: set it and run the same command again"
    if isinstance(error, MemoryError):
        return "not enough memory: close other programs, or give smaller or fewer images"
    return None


def _fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def is_disk_full(error: Exception) -> bool:
    """Whether an error of the system or of a library says that a disk is full."""
    # TensorFlow, h5py and NumPy raise their own exceptions, which keep only a text.
    return getattr(error, "errno", None) in _FULL or _FULL_TEXTS.search(str(error)) is not None
