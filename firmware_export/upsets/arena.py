"""Where TFLM's arena lies in this process. The package `tflite-micro` allocates it and does not tell.

The codes that TFLM is given are found in the process's memory, and the block of memory around them by its size, which
the GNU C library keeps before each block (malloc/malloc.c, "malloc_chunk": 8 bytes, flags in the lowest three bits).
"""

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.tflite import interpreters
from firmware_export.tflite.interpreters import TflmInterpreter
from firmware_export.tflite.model import Model

_LEAST_INPUT = 16
"""Bytes of which chance makes no copies."""
_ALIGNED, _FLAGS, _PAGE = 16, 7, 4096
_MAPS = Path("/proc/self/maps")
_WRITABLE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0 +(?:\[heap\])?$", re.MULTILINE)
"""Memory that no file is behind."""


def find(interpreter: TflmInterpreter, model: Model, arena_bytes: int) -> ctypes.Array[ctypes.c_ubyte]:
    """The arena, as bytes that can be changed in place while the interpreter lives.

    Args:
        interpreter: made of `model`, with an arena of this size.
        model: what the interpreter runs.
        arena_bytes: its size.

    Raises:
        UserError: it is not found, as with another C library, or the model's inputs are too small to be found.
    """
    random = np.random.default_rng(0)
    shapes = [tensor.shape for tensor in model.graph.inputs]
    if np.prod(shapes[0]) < _LEAST_INPUT:
        raise UserError("TFLM's arena: the model's first input is too small to be found in the memory of this process")
    starts: set[int] = set()
    for attempt in range(2):
        parts = [random.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
        interpreter.set_input(interpreters.joined(parts))
        found = set(_blocks_with(parts[0].tobytes(), arena_bytes))
        starts = found if attempt == 0 else starts & found
    if len(starts) != 1:
        raise UserError("TFLM's arena: it is not found in the memory of this process")
    return (ctypes.c_ubyte * arena_bytes).from_address(starts.pop())


def _blocks_with(content: bytes, size: int) -> Iterator[int]:
    """Addresses of allocated blocks of `size` bytes that contain this content."""
    for match in _WRITABLE.finditer(_MAPS.read_text()):
        start, end = (int(text, 16) for text in match.groups())
        memory = ctypes.string_at(start, end - start)
        at = memory.find(content)
        while at >= 0:
            yield from (start + block for block in _blocks_around(memory, at, size))
            at = memory.find(content, at + 1)


def _blocks_around(memory: bytes, at: int, size: int) -> Iterator[int]:
    """Where blocks of `size` bytes start in memory that begin at most that far before a place, and end in it.

    A block is preceded by its size with these 8 bytes, rounded up; a large one fills pages of its own, with 16 bytes.
    """
    sizes = [(size + 8 + _ALIGNED - 1) // _ALIGNED * _ALIGNED, (size + _ALIGNED + _PAGE - 1) // _PAGE * _PAGE]
    first = max(0, at - size) // _ALIGNED * _ALIGNED
    words = np.frombuffer(memory[first : at - at % _ALIGNED], np.uint64)[1::2]
    for number in np.flatnonzero(np.isin(words & ~np.uint64(_FLAGS), sizes)).tolist():
        block = first + _ALIGNED * (number + 1)
        if at < block + size <= len(memory):
            yield block
