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


def test_an_input_that_is_too_small(exported, monkeypatch):
    model = reader.read(exported.model)
    monkeypatch.setattr(arena, "_LEAST_INPUT", 1 << 20)
    with pytest.raises(UserError, match="TFLM's arena: the model's first input is too small to be found"):
        arena.find(TflmInterpreter(model, 1 << 16), model, 1 << 16)
