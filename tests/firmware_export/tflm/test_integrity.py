import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from host_compiler import compile_program
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.common import c_text
from firmware_export.tflm import integrity, model_data
from firmware_export.verify import golden_vectors

_STATUSES = ("ok", "no model", "length", "identifier", "root", "version", "misaligned", "crc")
STATUS = {name: value for value, name in enumerate(_STATUSES)}
INTACT, CORRUPT = 1, 2

# A program that answers commands over a pipe.
HARNESS = Path(__file__).with_name("integrity_harness.cc")


def _build(folder, facts, cxx):
    nothing = golden_vectors.GoldenVectors(np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.int8))
    for name, text in {**model_data.render(facts), **integrity.render(facts, nothing)}.items():
        (folder / name).write_text(text)
    symbol = facts.symbol
    macros = (f"-DNAMESPACE={c_text.namespace(symbol)}", f"-DSYMBOL={symbol}", f"-DSYMBOL_SIZE={symbol}_size")
    sources = [str(HARNESS), *(str(folder / name) for name in ("model_data.cc", "integrity.cc"))]
    program = str(folder / "harness")
    compile_program(cxx, [*macros, "-I", str(folder), *sources], program)
    return program


class Harness:
    """The compiled files, asked over a pipe: one process for all examples."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, command, *operands):
        packed = (struct.pack("=I", o) if isinstance(o, int) else struct.pack("=I", len(o)) + o for o in operands)
        self.process.stdin.write(command + b"".join(packed))
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer.endswith(b"\n"), "the program died: see the sanitizer's report"
        return [word.decode() for word in answer.split()]

    def verify(self, model, offset=0):
        return int(self.ask(b"v", offset, model)[0])

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(10) == 0


@pytest.fixture(scope="module", params=["g++", "clang++"])
def harness(request, facts, tmp_path_factory):
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} on PATH")
    opened = Harness(_build(tmp_path_factory.mktemp("host"), facts, request.param))
    yield opened
    opened.close()


def _flipped(model, *positions, bit=0):
    changed = bytearray(model)
    for position in positions:
        changed[position] ^= 1 << bit
    return bytes(changed)


def _version_position(model):
    """By the flatbuffer format: root offset, then back to the vtable, whose third 16-bit entry is the first field."""
    (table,) = struct.unpack_from("<I", model)
    vtable = table - struct.unpack_from("<i", model, table)[0]
    return table, vtable, table + struct.unpack_from("<H", model, vtable + 4)[0]


@given(content=st.binary(max_size=300), seed=st.integers(0, 2**32 - 1))
def test_crc_is_zlibs(harness, content, seed):
    assert int(harness.ask(b"c", seed, content)[0]) == zlib.crc32(content, seed)


@given(content=st.binary(max_size=100), cut=st.integers(0, 100))
def test_crc_goes_on_from_a_seed(harness, content, cut):
    first = int(harness.ask(b"c", 0, content[:cut])[0])
    assert int(harness.ask(b"c", first, content[cut:])[0]) == zlib.crc32(content)


def test_the_model_is_verified_where_it_lies_and_as_a_copy(harness, facts):
    assert int(harness.ask(b"a")[0]) == STATUS["ok"]
    assert harness.verify(facts.model.content) == STATUS["ok"]


def test_each_status_is_for_its_own_fault(harness, facts):
    model = facts.model.content
    table, vtable, version = _version_position(model)
    assert struct.unpack_from("<I", model, version) == (3,)
    assert int(harness.ask(b"n")[0]) == STATUS["no model"]
    for length in (0, 1, 7, len(model) - 1):
        assert harness.verify(model[:length]) == STATUS["length"]
    assert harness.verify(model + b"\0") == STATUS["length"]
    for position in range(4, 8):
        assert harness.verify(_flipped(model, position)) == STATUS["identifier"]
    assert harness.verify(_flipped(model, 3, bit=7)) == STATUS["root"]
    assert harness.verify(_flipped(model, table + 3, bit=6)) == STATUS["root"]
    for position in range(version, version + 4):
        assert harness.verify(_flipped(model, position)) == STATUS["version"]
    absent = bytearray(model)
    absent[vtable + 4 : vtable + 6] = bytes(2)
    assert harness.verify(bytes(absent)) == STATUS["version"]
    short = bytearray(model)
    short[vtable : vtable + 2] = struct.pack("<H", 4)
    assert harness.verify(bytes(short)) == STATUS["version"]
    for offset in (1, 2, 4, 8):
        assert harness.verify(model, offset) == STATUS["misaligned"]
    for position in (len(model) // 2, len(model) - 1):
        assert harness.verify(_flipped(model, position)) == STATUS["crc"]


def test_the_first_thing_wrong_is_named(harness, facts):
    table, _, version = _version_position(facts.model.content)
    damaged = _flipped(facts.model.content, facts.model.size - 1)
    assert harness.verify(damaged, 4) == STATUS["misaligned"]
    damaged = _flipped(damaged, version)
    assert harness.verify(damaged, 4) == STATUS["version"]
    damaged = _flipped(damaged, table + 3, bit=6)
    assert harness.verify(damaged, 4) == STATUS["root"]
    damaged = _flipped(damaged, 4)
    assert harness.verify(damaged, 4) == STATUS["identifier"]
    assert harness.verify(damaged[:-1], 4) == STATUS["length"]


@pytest.mark.parametrize("root", [0, 4, -5, -4, -3, -1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("distance", [0, 1, -8, 2**31 - 1, -(2**31)])
def test_no_offset_leads_outside(harness, facts, root, distance):
    """Under the address sanitizer, which ends the program at the first byte read beyond the model."""
    damaged = bytearray(facts.model.content)
    root = root if root >= 0 else len(damaged) + root
    struct.pack_into("<I", damaged, 0, root)
    if root <= len(damaged) - 4 and root >= 8:
        struct.pack_into("<i", damaged, root, distance)
    assert harness.verify(bytes(damaged)) != STATUS["ok"]


def _with_tables(model, table, vtable, *entries):
    """The model with its root table moved; the vtable's entries are its size, the table's size, and the version's."""
    changed = bytearray(model)
    struct.pack_into("<I", changed, 0, table)
    if table <= len(model) - 4:
        struct.pack_into("<i", changed, table, table - vtable)
    for index, entry in enumerate(entries):
        struct.pack_into("<H", changed, vtable + 2 * index, entry)
    return bytes(changed)


def test_tables_may_end_where_the_model_ends_and_no_byte_later(harness, facts):
    model, end = facts.model.content, facts.model.size
    for table, vtable, entries, status in (
        (end - 8, 64, (6, 8, 4), "version"),
        (end - 8, 64, (6, 8, 5), "root"),
        (end - 4, 64, (6, 8, 0), "version"),
        (end - 4, 64, (6, 8, 1), "root"),
        (end - 4, 64, (6, 8, 0xFFFF), "root"),
        (end - 3, 64, (6, 8, 0), "root"),
        (64, end - 6, (6, 8, 0), "version"),
        (64, end - 6, (6, 8, 4), "version"),
        (64, end - 5, (6, 8), "root"),
        (64, 61, (6,), "version"),  # no version, and the table's distance from its vtable is 3
        (64, end, (), "root"),
        (64, -1, (), "root"),
    ):
        assert harness.verify(_with_tables(model, table, vtable, *entries)) == STATUS[status], (table, vtable, entries)


@given(st.data())
def test_any_few_flipped_bits_are_found(harness, facts, data):
    places = st.integers(0, 8 * facts.model.size - 1) | st.integers(0, 8 * 64 - 1)  # offsets lie at the beginning
    damaged = bytearray(facts.model.content)
    for place in data.draw(st.lists(places, min_size=1, max_size=4, unique=True)):
        damaged[place // 8] ^= 1 << place % 8
    assert harness.verify(bytes(damaged)) != STATUS["ok"]


@pytest.mark.parametrize("step", [1, 7, 256, "length", 2**32 - 1])
def test_scrubbing_ends_alike_whatever_the_step(harness, facts, step):
    length = facts.model.size
    step = length if step == "length" else step
    steps = -(-length // step)
    damaged = [_flipped(facts.model.content, place) for place in (0, 999, length - 1)]
    for model, verdict in ((facts.model.content, INTACT), *((content, CORRUPT) for content in damaged)):
        assert list(map(int, harness.ask(b"s", step, 0, model))) == [verdict, steps] * 2


def test_an_upset_scrubber_reads_nothing_outside_and_recovers(harness, facts):
    assert list(map(int, harness.ask(b"s", 256, 1, facts.model.content)))[2] == INTACT


@given(st.data())
def test_repair_is_the_bitwise_majority(harness, data):
    length = data.draw(st.integers(0, 40))
    copies = [data.draw(st.binary(min_size=length, max_size=length)) for _ in range(3)]
    bits = [np.unpackbits(np.frombuffer(copy, np.uint8)) for copy in copies]
    majority = np.packbits(sum(b.astype(int) for b in bits) >= 2).tobytes()
    changed = sum(old != new for copy in copies for old, new in zip(copy, majority, strict=True))
    assert harness.ask(b"m", *copies) == [majority.hex()] * 3 * bool(length) + [str(changed)]


def test_repair_restores_the_model(harness, facts):
    """Three copies, each with a thirtieth of its bytes lost, no byte in two of them."""
    generator = np.random.default_rng(1)
    model = np.frombuffer(facts.model.content, np.uint8)
    owner = generator.integers(0, 90, len(model))
    copies = [np.where(owner == copy, ~model, model).tobytes() for copy in range(3)]
    assert harness.ask(b"m", *copies) == [facts.model.content.hex()] * 3 + [str(np.count_nonzero(owner < 3))]
