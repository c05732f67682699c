"""Try sizes of TFLM's arena in another process, which kernels may crash where the arena is a little too small.

`FullyConnectedPrepare` with one scale for each output does not check whether there was memory for them
(`fully_connected_common.cc`). A fork of this process would not do: TensorFlow and JAX have threads.

`python -m firmware_export.memory.arena_trials BYTES` is that process. From its standard input it reads a model of that
length and answers "ready"; then a size a line, and answers 1 if TFLM prepares the model in it, else 0.
"""

import contextlib
import faulthandler
import subprocess
import sys
from types import TracebackType

from firmware_export.common import child
from firmware_export.common.errors import UserError
from firmware_export.tflite import reader
from firmware_export.tflite.interpreters import TflmInterpreter
from firmware_export.tflite.model import Model

_READY = b"ready\n"


class ArenaTrials:
    """Trials with one model; a context, at the end of which the process ends."""

    def __init__(self, model: Model) -> None:
        """Start no process yet.

        Args:
            model: int8, with one subgraph.
        """
        self._content = model.content
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "ArenaTrials":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def fit(self, arena_bytes: int) -> bool:
        """Whether TFLM prepares the model in an arena of this size, in bytes, at least 1024."""
        self._process = self._process or self._start()
        answer = _asked(self._process, b"%d\n" % arena_bytes)
        if not answer:
            self._end()
        return answer == b"1\n"

    def _start(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            child.command(__name__, str(len(self._content))),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child.environment(),
            start_new_session=True,
        )
        if _asked(process, self._content) != _READY:
            process.kill()
            process.communicate()
            raise RuntimeError("the process that tries arenas did not start")
        return process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _asked(process: "subprocess.Popen[bytes]", written: bytes) -> bytes:
    """The line with which the process answers; nothing if it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(written)
        process.stdin.flush()
    return process.stdout.readline()


def main() -> None:
    """The process."""
    faulthandler.disable()
    model = reader.read(sys.stdin.buffer.read(int(sys.argv[1])))
    print(_READY.decode(), end="", flush=True)
    for line in sys.stdin.buffer:
        try:
            TflmInterpreter(model, int(line))
            print(1, flush=True)
        except UserError:
            print(0, flush=True)


if __name__ == "__main__":
    main()
