"""The structure of all constants, whose bytes one checksum covers."""

import dataclasses

import numpy as np
import pytest
import row_models

from firmware_export.rows import constants as arrays
from firmware_export.rows.constants import Constants, constants
from firmware_export.rows.context import Place
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import plan


def _constants(build):
    return constants(plan(lower(row_models.model(build, (1, 6, 6, 4), quantization=(0.1, 7)))), "t", 100)


def test_words_come_first_and_there_are_no_gaps():
    found = Constants("t", start=8)
    found.add("b", np.array([-128, 5, 7], np.int8))
    found.add("a", np.array([1, -(1 << 31)], np.int32))
    assert found.content == b"\x01\0\0\0\0\0\0\x80" + b"\x80\x05\x07\0"
    assert list(found.declarations()) == ["int32_t a[2];", "int8_t b[4];"]
    assert [(name, text.strip()) for name, text in found.initializers()] == [
        ("a", "1, -2147483647 - 1"),
        ("b", "-128, 5, 7, 0"),
    ]
    assert (found.place("a"), found.place("b")) == (Place(8, "offsetof(t, a)"), Place(16, "offsetof(t, b)"))
    assert found.words_bytes == 16
    with pytest.raises(ValueError, match="two constants are named a"):
        found.add("a", np.zeros(1, np.int8))
    with pytest.raises(KeyError):
        found.place("c")


def test_spans_are_arrays_side_by_side():
    found = Constants("t", start=8)
    found.add("codes_1", np.array([1, 2], np.int8))
    found.add("numbers_1", np.array([3], np.int32))
    found.add("codes_2", np.array([4], np.int8))
    found.add("numbers_2", np.array([-1], np.int32))
    assert found.span(["numbers_2", "numbers_1"]) == (found.place("numbers_1"), b"\x03\0\0\0\xff\xff\xff\xff")
    assert found.span(["codes_2"]) == (found.place("codes_2"), b"\x04\0\0\0")
    assert (found.has_words("numbers_1"), found.has_bytes("numbers_1"), found.has_words("a")) == (True, False, False)
    assert found.has_bytes("codes_1")
    with pytest.raises(ValueError, match="other constants lie between numbers_1, codes_1"):
        found.span(["numbers_1", "codes_1"])


def test_entries_of_a_long_schedule_have_two_bytes():
    planned = plan(lower(row_models.model(lambda b, x: b.mean(x), (1, 6, 6, 4))))
    assert arrays.schedule(planned) == bytes(planned.schedule)
    layers = planned.network.layers
    deep = dataclasses.replace(
        planned, network=dataclasses.replace(planned.network, layers=layers * 300), schedule=(0, 300)
    )
    assert arrays.schedule(deep) == b"\0\0" + b"\x2c\x01"


def test_a_convolution_brings_its_arrays_and_a_row_of_zero_points():
    found = _constants(lambda b, x: b.convolution(x, 3, (3, 3), (1, 1), "SAME", "RELU"))
    sizes = {name: array.size for name, array in found.arrays.items()}
    # Three shifts are filled up to four bytes; the row outside is as wide as a padded row of the image.
    assert sizes == {
        "bias_1": 3,
        "multipliers_1": 3,
        "shifts_1": 4,
        "weights_1": 3 * 9 * 4,
        "outside_7": (6 + 2) * 4,
        "schedule": 12,
    }
    assert set(found.arrays["outside_7"].tolist()) == {7}


def test_a_convolution_that_sees_nothing_outside_needs_no_such_row():
    assert "outside_7" not in _constants(lambda b, x: b.convolution(x, 3, (3, 3), (1, 1), "VALID", "RELU")).arrays


def test_tables_of_functions_are_constants():
    found = _constants(lambda b, x: b.softmax(b.relu("RELU", x)))
    assert (found.arrays["table_1"].size, found.arrays["table_2"].size) == (256, 256)
