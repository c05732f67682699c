"""Capture what C++ libraries write directly to file descriptor 2, for use in error messages."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def captured_stderr() -> Iterator[Callable[[], str]]:
    """Within the block, redirect file descriptor 2 of the whole process to a temporary file.

    TFLM and TensorFlow's converter write to it from C++, bypassing `sys.stderr`. Keep the block short: the output of
    other threads is captured too.

    Yields:
        A function that returns everything captured so far.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)

        def text() -> str:
            sys.stderr.flush()
            return os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")

        try:
            yield text
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
