"""A model's structures, as C text and as bytes."""

import ctypes

import row_models

from firmware_export.rows import emit, engine
from firmware_export.rows.context import Place
from firmware_export.rows.least_memory import plan_memory
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import plan


def test_a_structure_ends_with_its_check():
    order = ("kind", "lowest", "in.start", "in.depth", "sums", "check.low", "check.high")
    structure = emit.Structure(order, {"kind": Place(3, "THREE"), "lowest": -1})
    low, high = engine.check([3, -1, 0, 0, 0])
    assert structure.values == (3, -1, 0, 0, 0, low, high)
    lines = [".kind = THREE,", ".lowest = -1,", f".check = {{.low = {low}u, .high = {high}u}},"]
    assert list(structure.initializers()) == lines


def test_initializers_name_every_word_that_is_not_zero():
    words = {"lowest": -128, "in.start": Place(8, "offsetof(c, rows_0)"), "in.depth": 3}
    structure = emit.Structure(("lowest", "in.start", "in.depth", "in.height"), words)
    assert list(structure.initializers()) == [".lowest = -128,", ".in = {.start = offsetof(c, rows_0), .depth = 3u},"]
    assert structure.content == b"\x80\xff\xff\xff" + b"\x08\0\0\0" + b"\x03\0\0\0" + b"\0\0\0\0"


def test_padded_rings_are_filled():
    image = emit.image(plan(lower(row_models.every_layer())), "satkd")
    padded = [(i, ring) for i, ring in enumerate(image.plan.rings) if ring.pad_left or ring.pad_right]
    assert padded
    for fill, (i, ring) in zip(image.fills, padded, strict=True):
        code = ring.tensor.zero_point & 0xFF
        assert (fill.values[1], fill.values[3]) == (ring.bytes // 4, ctypes.c_int32(code * 0x01010101).value)
        assert bool(fill.values[2]) == (i > 0 and image.context.is_shared(f"rows_{i}"))
        assert fill.words["start"] == image.context.place(f"rows_{i}")


def test_the_bytes_are_those_that_the_compiler_lays_out(compiled, library):
    size = compiled.report.constants_bytes
    library.satkd_constants_start.restype = ctypes.c_void_p
    found = ctypes.string_at(library.satkd_constants_start(), size)
    assert found == emit.image(plan_memory(lower(row_models.every_layer())), "satkd").content
