"""`python -m firmware_export.upsets.tflm_worker MODEL INPUTS ARENA_BYTES PLAN JOURNAL`: flips bits of what TFLM runs.

A child process makes the flips; if one kills it, this process notes that and forks the next child.
"""

import ctypes
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from firmware_export.common.errors import UserError, exit_on_user_error
from firmware_export.tflite import reader
from firmware_export.tflite.interpreters import TflmInterpreter
from firmware_export.upsets import arena
from firmware_export.upsets.outcomes import ORDER, Outcome

_TIMES = 20
"""An image that takes this many times the usual time hangs."""


class Flipper:
    """TFLM with a model whose bytes change in place, which Python's `bytes` otherwise forbids."""

    def __init__(self, content: bytes, images: np.ndarray, arena_bytes: int) -> None:
        """Prepare the model.

        Args:
            content: the model. This object must be its only user.
            images: int8 [N, 1, …].
            arena_bytes: size of TFLM's arena.
        """
        from tflite_micro.python.tflite_micro import runtime

        self._model = reader.read(content)
        # The package's Python parses the model before TFLM does, which no part does: the intact model's count is kept.
        variables = runtime.count_resource_variables(content)
        runtime.count_resource_variables = lambda damaged: variables
        # CPython keeps the bytes of an object at its end, before a final zero.
        start = id(content) + bytes.__basicsize__ - 1
        self._bytes = (ctypes.c_ubyte * len(content)).from_address(start)
        self._images = images
        self._arena_bytes = arena_bytes
        self._interpreter = TflmInterpreter(self._model, arena_bytes)
        began = time.process_time()
        self._expected = [self._interpreter.invoke(image).copy() for image in images]
        self.limit = 1 + _TIMES * (time.process_time() - began) / len(images)
        """Seconds of processor time for one injection."""

    def outcome(self, image: int, moment: str, byte: int, bit: int) -> Outcome:
        """Flip a bit before preparation (`b`) or after it (`a`, `r`: in the arena), run an image, and flip it back."""
        flipped = self.arena if moment == "r" else self._bytes
        before = bytes(flipped)
        flipped[byte] ^= 1 << bit
        try:
            interpreter = TflmInterpreter(self._model) if moment == "b" else self._interpreter
            outputs = interpreter.invoke(self._images[image])
        except (UserError, ValueError):
            return Outcome.REFUSED
        finally:
            ctypes.memmove(flipped, before, len(before))  # the image may have changed more than the bit
        expected = self._expected[image]
        if outputs.shape != expected.shape:
            return Outcome.REFUSED
        if np.array_equal(outputs, expected):
            return Outcome.MASKED
        return Outcome.DIFFERS if outputs.argmax() == expected.argmax() else Outcome.WRONG

    @cached_property
    def arena(self) -> "ctypes.Array[ctypes.c_ubyte]":
        """TFLM's arena."""
        return arena.find(self._interpreter, self._model, self._arena_bytes)


def main() -> None:
    """The command line."""
    model, inputs, plan, journal = map(Path, (*sys.argv[1:3], *sys.argv[4:]))
    content = model.read_bytes()
    shape = reader.read(content).graph.inputs[0].shape
    flipper = Flipper(content, np.frombuffer(inputs.read_bytes(), np.int8).reshape(-1, *shape), int(sys.argv[3]))
    lines = [line.split() for line in plan.read_text().splitlines()]
    if any(moment == "r" for _, _, moment, *_ in lines):
        _ = flipper.arena  # found before a flip damages anything
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    left: Sequence[list[str]] = lines
    while left:
        done = _size(journal)
        status = _in_child(flipper, left, journal)
        worked_off = _size(journal) - done
        left = left[worked_off:]
        if os.WIFSIGNALED(status):
            outcome = Outcome.HANG if os.WTERMSIG(status) == signal.SIGVTALRM else Outcome.CRASH
            number, _, moment, *_ = left[0]
            _note(journal, number, moment, outcome)
            left = left[1:]
        elif status:
            raise UserError(f"a process of TFLM ended with {os.WEXITSTATUS(status)}")


def _size(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def _in_child(flipper: Flipper, lines: Sequence[list[str]], journal: Path) -> int:
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    try:
        for number, image, moment, byte, bit in lines:
            signal.setitimer(signal.ITIMER_VIRTUAL, flipper.limit)
            outcome = flipper.outcome(int(image), moment, int(byte), int(bit))
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            _note(journal, number, moment, outcome)
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def _note(journal: Path, number: str, moment: str, outcome: Outcome) -> None:
    # A CRC-32 of the model finds every single flipped bit; nothing checks the arena.
    with journal.open("a") as file:
        file.write(f"{number} {ORDER.index(outcome)} {int(moment != 'r')}\n")


if __name__ == "__main__":
    exit_on_user_error(main)
