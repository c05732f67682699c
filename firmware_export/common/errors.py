"""Errors that are the user's to mend: one line, exit code 2, no traceback."""

import difflib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

from firmware_export.common import invocation


class UserError(Exception):
    """Something the person at the keyboard can mend.

    The message is one line: the bad value, what was expected, what to do.
    """


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is none of `known`, with the nearest match suggested."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return UserError(f"unknown {kind} {name!r}: {hint}known are {', '.join(known)}")


def exit_on_user_error(main: Callable[[], None], *, is_resumable: bool = False) -> NoReturn:
    """Run a command line's `main`; what is the user's to mend becomes one line on stderr and exit code 2.

    Ctrl-C exits with 130, as a shell expects, and one line says what to type next. A reader that leaves early ends us
    with 141, silently. Every other exception is a defect of ours and keeps its traceback.

    Args:
        main: does the work.
        is_resumable: the same command goes on where it was interrupted; otherwise it begins again.
    """
    try:
        main()
        sys.stdout.flush()
    except UserError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # behind the terminal's ^C and what stood there, such as half a bar
        print(f"interrupted; to {'go on' if is_resumable else 'begin again'}: {invocation.command()}", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # Who read our output has seen enough, as `head` has; Python would try once more to write it, and complain.
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
    # TensorFlow and h5py wrap ENOSPC in classes of their own and keep only its text.
    return getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error)
