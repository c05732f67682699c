"""Hold back what C++ libraries write straight to file descriptor 2, and keep it for an error message."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def captured_stderr() -> Iterator[Callable[[], str]]:
    """Within the block, descriptor 2 of the whole process goes to a temporary file.

    TFLM and TensorFlow's converter log there from C++, past `sys.stderr`. Keep the block short: other threads are
    silenced too.

    Yields:
        A function that returns everything written so far.
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
