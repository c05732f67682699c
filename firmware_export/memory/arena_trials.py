"""Try sizes of TFLM's arena in another process, which kernels may crash where the arena is a little too small.

`FullyConnectedPrepare` with one scale for each output does not check whether there was memory for them
(`fully_connected_common.cc`). A fork of this process would not do: TensorFlow and JAX have threads.

`python -m firmware_export.memory.arena_trials` is that process. It reads lines from its standard input: after
"model N", the N bytes of a model, and it answers "ready"; after "fit N", it answers 1 if TFLM prepares that model in N
bytes, else 0.
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
    """Trials with one model after the other; a context, at the end of which the process ends."""

    def __init__(self) -> None:
        """Start no process yet."""
        self._process: subprocess.Popen[bytes] | None = None
        self._model: Model | None = None

    def __enter__(self) -> "ArenaTrials":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def fit(self, model: Model, arena_bytes: int) -> bool:
        """Whether TFLM prepares a model, int8 with one subgraph, in an arena of this size, in bytes, at least 1024."""
        if model is not self._model:
            self._process = self._process or _started()
            if _answer(self._process, b"model %d\n" % len(model.content) + model.content) != _READY:
                raise RuntimeError("the process that tries arenas did not start")
            self._model = model
        assert self._process is not None
        answer = _answer(self._process, b"fit %d\n" % arena_bytes)
        if not answer:
            self._end()
        return answer == b"1\n"

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = self._model = None


def _started() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        child.command(__name__),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child.environment(),
        start_new_session=True,
    )


def _answer(process: "subprocess.Popen[bytes]", written: bytes) -> bytes:
    """The line with which the process answers; nothing if it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(written)
        process.stdin.flush()
    return process.stdout.readline()


def _is_enough(model: Model, arena_bytes: int) -> bool:
    try:
        TflmInterpreter(model, arena_bytes)
    except UserError:
        return False
    return True


def main() -> None:
    """The process."""
    faulthandler.disable()
    for line in sys.stdin.buffer:
        word, number = line.split()
        if word == b"model":
            model = reader.read(sys.stdin.buffer.read(int(number)))
            answer = _READY
        else:
            answer = b"%d\n" % _is_enough(model, int(number))
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
