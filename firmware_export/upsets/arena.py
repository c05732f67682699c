"""Where TFLM's arena lies in this process. The package `tflite-micro` allocates it and does not tell.

The codes that TFLM is given are found in the process's memory, and the block of memory around them by its size, which
the GNU C library keeps before each block (malloc/malloc.c, "malloc_chunk": 8 bytes, flags in the lowest three bits). In
the main heap, one chunk follows another from its start, so each place is in one chunk; in other memory, blocks are
looked for before the place.
"""

import bisect
import contextlib
import ctypes
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.tflite import interpreters
from firmware_export.tflite.interpreters import TflmInterpreter
from firmware_export.tflite.model import Model

_LEAST_INPUT = 16
"""Bytes of which chance makes no copies."""
_ALIGNED, _FLAGS, _PAGE, _LEAST_CHUNK = 16, 7, 4096, 32
_USED_BEFORE, _OWN_PAGES = 1, 2
"""Flags: the block before is in use; the block was mapped by itself."""
_MAPS, _MEMORY = Path("/proc/self/maps"), Path("/proc/self/mem")
_READ_AT_ONCE = 1 << 24
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
    starts = set(_blocks_with(_given(interpreter, shapes, random), arena_bytes))
    again = _given(interpreter, shapes, random)  # a copy of the codes that were before does not change
    starts = {start for start in starts if again in _read(start, start + arena_bytes)}
    if len(starts) != 1:
        raise UserError("TFLM's arena: it is not found in the memory of this process")
    return (ctypes.c_ubyte * arena_bytes).from_address(starts.pop())


def _given(interpreter: TflmInterpreter, shapes: Sequence[tuple[int, ...]], random: np.random.Generator) -> bytes:
    """Random codes of the first input, which the interpreter has been given."""
    parts = [random.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
    interpreter.set_input(interpreters.joined(parts))
    return parts[0].tobytes()


def _blocks_with(content: bytes, size: int) -> Iterator[int]:
    """Addresses of allocated blocks of `size` bytes that contain this content."""
    for match in _WRITABLE.finditer(_MAPS.read_text()):
        start, end = (int(text, 16) for text in match.groups())
        places = set(_places(content, start, end))
        if not places:
            continue
        memory = _read(start, end)
        chunks = _heap(memory) if match[0].endswith("[heap]") else None
        for place in places:
            blocks = _blocks_around(memory, place, size) if chunks is None else _block_of(chunks, place, size)
            yield from (start + block for block in blocks)


def _places(content: bytes, start: int, end: int) -> Iterator[int]:
    """Where this content is in memory, counted from its start; a process with networks has gigabytes, so in parts."""
    step = max(_READ_AT_ONCE, len(content))
    for first in range(start, end, step):
        memory = _read(first, min(first + step + len(content), end))
        at = memory.find(content)
        while at >= 0:
            yield first - start + at
            at = memory.find(content, at + 1)


def _read(start: int, end: int) -> bytes:
    """This process's memory, up to what another thread has given back meanwhile: reading it by address would crash."""
    parts = []
    with _MEMORY.open("rb", buffering=0) as file, contextlib.suppress(OSError):
        while start < end and (part := os.pread(file.fileno(), end - start, start)):
            parts.append(part)
            start += len(part)
    return b"".join(parts)


def _heap(memory: bytes) -> list[int] | None:
    """The starts of all chunks of the main heap, and its end; None if it is not one chunk after another."""
    words = memoryview(memory)[: len(memory) // 8 * 8].cast("Q")
    chunks, at = [], 0
    while at + _ALIGNED <= len(memory):
        chunks.append(at)
        length = words[at // 8 + 1] & ~_FLAGS
        if length < _LEAST_CHUNK:
            return None
        at += length
    return [*chunks, at] if at == len(memory) else None


def _block_of(chunks: list[int], place: int, size: int) -> Iterator[int]:
    """The start of the block among a heap's chunks that contains a place, if it is one of `size` bytes."""
    *lengths, _ = _chunks(size)
    following = bisect.bisect_right(chunks, place)
    if chunks[following] - chunks[following - 1] in lengths:
        yield chunks[following - 1] + _ALIGNED


def _blocks_around(memory: bytes, at: int, size: int) -> Iterator[int]:
    """Where blocks of `size` bytes start in memory that begin at most that far before a place, and end in it."""
    first = max(0, at - size) // _ALIGNED * _ALIGNED
    words = np.frombuffer(memory[first : at - at % _ALIGNED], np.uint64)[1::2]
    for number in np.flatnonzero(np.isin(words & ~np.uint64(_FLAGS), _chunks(size))).tolist():
        block = first + _ALIGNED * (number + 1)
        if at < block + size <= len(memory) and _is_used(memory, block, int(words[number]), size):
            yield block


def _chunks(size: int) -> tuple[int, ...]:
    """The sizes that may be kept before a block.

    Of one among others: with 8 bytes, rounded up, and with what would be too small to be a block. Of a large one in
    pages of its own: with 16 bytes.
    """
    among_others = (size + 8 + _ALIGNED - 1) // _ALIGNED * _ALIGNED
    return among_others, among_others + _ALIGNED, (size + _ALIGNED + _PAGE - 1) // _PAGE * _PAGE


def _is_used(memory: bytes, block: int, kept: int, size: int) -> bool:
    """Whether a word is what the C library keeps before a block in use: freed memory is full of words that were."""
    *among_others, in_pages = _chunks(size)
    chunk = kept & ~_FLAGS
    if kept & _OWN_PAGES:
        return block % _PAGE == _ALIGNED and chunk == in_pages
    following = memory[block + chunk - 8 : block + chunk]
    return chunk in among_others and bool(int.from_bytes(following, "little") & _USED_BEFORE)
