"""Errors that the user can fix: one line, exit code 2, no traceback."""

import difflib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

from firmware_export.common import invocation


class UserError(Exception):
    """An error that the user can fix.

    The message is one line: the bad value, what was expected, what to do.
    """


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not in `known`; suggests the nearest match."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return UserError(f"unknown {kind} {name!r}: {hint}choose from {', '.join(known)}")


def exit_on_user_error(main: Callable[[], None], *, is_resumable: bool = False) -> NoReturn:
    """Run `main` and exit; print a `UserError` as one line on stderr and exit with code 2.

    Ctrl-C exits with 130, as a shell expects, and prints the command to type next. If the reader of a pipe closes it,
    the exit code is 141, without a message. Any other exception is a defect of this program and keeps its traceback.

    Args:
        main: the program.
        is_resumable: whether the same command resumes after an interruption; otherwise it starts over.
    """
    try:
        main()
        sys.stdout.flush()
    except UserError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # the line holds the terminal's ^C and perhaps an unfinished progress bar
        print(f"interrupted; to {'resume' if is_resumable else 'start over'}: {invocation.command()}", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe. Python would flush stdout again at exit and print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        if not _is_disk_full(error):
            raise
        where = f" of {error.filename}" if isinstance(error, OSError) and error.filename else ""
        _fail(f"no space left on the device{where}: free some and run the same command again")
    sys.exit(0)


def _fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _is_disk_full(error: Exception) -> bool:
    # TensorFlow and h5py raise their own exceptions for ENOSPC, which keep only its text.
    return getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error)
