import ctypes

import numpy as np
import pytest

from firmware_export.common.errors import UserError
from firmware_export.memory.arena import least_bytes
from firmware_export.tflite import reader
from firmware_export.tflite.interpreters import TflmInterpreter
from firmware_export.upsets import arena


@pytest.mark.parametrize("more", [0, 16, 1 << 20])
def test_what_is_found_is_the_arena(exported, more):
    model = reader.read(exported.model)
    size = least_bytes(model) + more
    interpreter = TflmInterpreter(model, size)
    images = exported.codes[:2, np.newaxis]
    expected = [interpreter.invoke(image).copy() for image in images]
    found = arena.find(interpreter, model, size)
    assert len(found) == size
    # The input is in it; what an image leaves behind there is written over by the next one; the structures at its end
    # are read.
    interpreter.set_input(images[0])
    assert bytes(found).find(images[0].tobytes()) >= 0
    interpreter.invoke(images[0])
    last = found[size - 16 :]
    ctypes.memset(found, 0x55, 64)
    assert np.array_equal(interpreter.invoke(images[1]), expected[1])
    assert bytes(last) == bytes(found[size - 16 :])


def test_another_arena_is_not_found(exported):
    model = reader.read(exported.model)
    size = least_bytes(model)
    with pytest.raises(UserError, match="TFLM's arena: it is not found in the memory of this process"):
        arena.find(TflmInterpreter(model, size), model, size + 4096)


def test_memory_that_another_thread_gives_back_meanwhile(exported, monkeypatch, tmp_path):
    # Linux never maps the first 64 KiB.
    maps = tmp_path / "maps"
    maps.write_text("1000-2000 rw-p 00000000 00:00 0 \n" + arena._MAPS.read_text())
    model = reader.read(exported.model)
    size = least_bytes(model)
    interpreter = TflmInterpreter(model, size)
    monkeypatch.setattr(arena, "_MAPS", maps)
    assert len(arena.find(interpreter, model, size)) == size


def test_the_input_may_lie_across_what_is_read_at_once(exported, monkeypatch):
    model = reader.read(exported.model)
    size = least_bytes(model)
    interpreter = TflmInterpreter(model, size)
    found = ctypes.addressof(arena.find(interpreter, model, size))
    codes = exported.codes[:1]
    interpreter.set_input(codes)
    at = bytes((ctypes.c_ubyte * size).from_address(found)).find(codes.tobytes())
    for before in (1, codes.size - 1, codes.size):
        start = found + at - before
        monkeypatch.setattr(arena, "_READ_AT_ONCE", codes.size)
        assert before in arena._places(codes.tobytes(), start, found + size)


def test_an_input_that_is_too_small(exported, monkeypatch):
    model = reader.read(exported.model)
    monkeypatch.setattr(arena, "_LEAST_INPUT", 1 << 20)
    with pytest.raises(UserError, match="TFLM's arena: the model's first input is too small to be found"):
        arena.find(TflmInterpreter(model, 1 << 16), model, 1 << 16)


@pytest.mark.parametrize(
    ("kept", "following", "start", "is_found"),
    [
        (112 | 1, 48 | 1, 64, True),  # 100 bytes and 8, rounded up to 16
        (112 | 1, 48, 64, False),  # the next one says that it was freed
        (4096 | 1, 48 | 1, 64, False),  # a size of whole pages, but not of a block mapped by itself
        (4096 | 2, 0, 16, True),
        (4096 | 2, 0, 64, False),  # a block mapped by itself starts behind the first 16 bytes of a page
        (128 | 1, 48 | 1, 64, True),  # 16 bytes that were left over were too small to be a block
        (144 | 1, 48 | 1, 64, False),
    ],
)
def test_blocks_in_use_are_told_from_what_was_freed(kept, following, start, is_found):
    memory = np.zeros(1024, np.uint64)
    memory[start // 8 - 1] = kept
    memory[(start + min(kept // 16 * 16, 512)) // 8 - 1] = following
    assert list(arena._blocks_around(memory.tobytes(), start + 32, 100)) == [start] * is_found


def heap(*chunks, flags=1):
    """Bytes of a heap of chunks of these lengths."""
    memory = np.zeros(sum(chunks) // 8, np.uint64)
    memory[(np.cumsum([0, *chunks[:-1]]) + 8) // 8] = np.array(chunks) | flags
    return memory.tobytes()


def test_a_heap_is_one_chunk_after_another():
    assert arena._heap(heap(32, 112, 48)) == [0, 32, 144, 192]
    assert arena._heap(heap(32, 112, 48) + bytes(16)) is None  # the last chunk ends at the heap's end
    assert arena._heap(bytes(64)) is None


@pytest.mark.parametrize(("place", "found"), [(8, []), (60, [48]), (143, [48]), (150, [])])
def test_a_place_is_in_one_chunk_of_a_heap(place, found):
    # A block of 100 bytes takes 8 more, rounded up to 112, and starts 16 bytes behind the chunk.
    assert list(arena._block_of([0, 32, 144, 192], place, 100)) == found
