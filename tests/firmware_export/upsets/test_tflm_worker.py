import dataclasses

import numpy as np
import pytest

from firmware_export.tflite import interpreters, reader
from firmware_export.upsets import tflm
from firmware_export.upsets.outcomes import Outcome
from firmware_export.upsets.tflm_worker import Flipper


@pytest.fixture
def flipper(exported, monkeypatch):
    from tflite_micro.python.tflite_micro import runtime

    monkeypatch.setattr(runtime, "count_resource_variables", runtime.count_resource_variables)  # restored afterwards
    content = bytes(bytearray(exported.model))  # its own copy
    return Flipper(content, exported.codes[:, np.newaxis], exported.report["arena_bytes"])


def test_outcomes_are_those_of_a_damaged_file(flipper, exported):
    model = reader.read(exported.model)
    start, end, _, _ = tflm.spans(exported.model, 0).regions[tflm.BIASES][-1]
    codes = exported.codes[2][np.newaxis]
    expected = interpreters.TflmInterpreter(model).invoke(codes).copy()
    for byte in range(start, end):
        for bit in (0, 6):
            damaged = bytearray(exported.model)
            damaged[byte] ^= 1 << bit
            outputs = interpreters.TflmInterpreter(dataclasses.replace(model, content=bytes(damaged))).invoke(codes)
            outcome = Outcome.DIFFERS if outputs.argmax() == expected.argmax() else Outcome.WRONG
            outcome = Outcome.MASKED if np.array_equal(outputs, expected) else outcome
            assert flipper.outcome(2, "a", byte, bit) is flipper.outcome(2, "b", byte, bit) is outcome


def test_bits_are_flipped_back(flipper, exported):
    before = flipper._model.content[:]
    flipper.outcome(0, "a", len(before) - 1, 3)
    flipper.outcome(0, "b", 4, 0)
    assert flipper._model.content == exported.model


def test_the_arena_is_what_it_was(flipper, exported):
    flipper.outcome(0, "a", 0, 0)
    before = bytes(flipper.arena)
    assert flipper.outcome(1, "r", 0, 7) is Outcome.MASKED
    assert bytes(flipper.arena) == before
