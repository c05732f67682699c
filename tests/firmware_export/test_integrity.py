import hashlib
import shutil
import struct
import subprocess
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export import compiler, defaults, integrity, model_data, oracle
from firmware_export.errors import UserError
from firmware_export.model_data import ModelFacts

FLAGS = (*compiler.FLAGS, "-Wconversion", "-Wsign-conversion", "-Wshadow", "-O1", "-g")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
STATUS = {
    name: value
    for value, name in enumerate(
        ("ok", "no model", "length", "identifier", "root", "version", "misaligned", "crc")
    )
}  # fmt: skip
IN_PROGRESS, INTACT, CORRUPT = range(3)

# Answers commands on its standard input; every buffer has its exact size, so that a sanitizer sees a step beyond it.
HARNESS = """
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include "golden_vectors.h"
#include "integrity.h"
#include "model_data.h"
using namespace NAMESPACE;
static std::uint32_t Number() {
  std::uint32_t value = 0;
  if (std::fread(&value, sizeof value, 1, stdin) != 1) std::exit(0);
  return value;
}
struct Buffer {
  explicit Buffer(std::size_t offset = 0) : length(Number()) {
    const std::size_t asked = length + offset;
    block = std::malloc(asked != 0 ? asked : 1);  // malloc gives multiples of 16
    bytes = static_cast<std::uint8_t*>(block) + offset;
    if (std::fread(bytes, 1, length, stdin) != length) std::exit(3);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(block); }
  std::size_t length;
  void* block;
  std::uint8_t* bytes;
};
static void Print(const Buffer& buffer) {
  for (std::size_t i = 0; i < buffer.length; ++i) std::printf("%02x", static_cast<unsigned>(buffer.bytes[i]));
  std::printf(" ");
}
static void ScrubRounds(Scrubber* scrubber, std::uint32_t step, std::uint32_t rounds) {
  for (std::uint32_t round = 0; round < rounds; ++round) {
    unsigned steps = 1;
    Verdict verdict = scrubber->ScrubStep(step);
    for (; verdict == Verdict::kInProgress; ++steps) verdict = scrubber->ScrubStep(step);
    std::printf("%u %u ", static_cast<unsigned>(verdict), steps);
  }
}
int main() {
  for (;;) {
    switch (std::getchar()) {
      case 'c': {
        const std::uint32_t seed = Number();
        const Buffer data;
        std::printf("%u", static_cast<unsigned>(Crc32(data.bytes, data.length, seed)));
        break;
      }
      case 'v': {
        const std::uint32_t offset = Number();
        const Buffer model(offset);
        std::printf("%u", static_cast<unsigned>(VerifyModel(model.bytes, model.length)));
        break;
      }
      case 'n': std::printf("%u", static_cast<unsigned>(VerifyModel(nullptr, kModelBytes))); break;
      case 'a': std::printf("%u", static_cast<unsigned>(VerifyModel(SYMBOL, SYMBOL_size))); break;
      case 's': {
        const std::uint32_t step = Number();
        const std::uint32_t is_upset = Number();
        const Buffer model;
        Scrubber scrubber(model.bytes);
        if (scrubber.ScrubStep(0) != Verdict::kInProgress) return 4;
        if (is_upset != 0) {  // everything in the object but the pointer
          char* object = reinterpret_cast<char*>(&scrubber);
          std::memset(object + sizeof(void*), 0xff, sizeof scrubber - sizeof(void*));
        }
        ScrubRounds(&scrubber, step, 2);
        break;
      }
      case 'm': {
        const Buffer a, b, c;
        const std::size_t corrected = RepairByMajority(a.bytes, b.bytes, c.bytes, a.length);
        Print(a), Print(b), Print(c);
        std::printf("%u", static_cast<unsigned>(corrected));
        break;
      }
      case 'g': {
        std::fwrite(kGoldenInputs, 1, sizeof kGoldenInputs, stdout);
        std::fwrite(kGoldenOutputs, 1, sizeof kGoldenOutputs, stdout);
        std::printf("%u %d", static_cast<unsigned>(kGoldenCrc32), kGoldenVectorCount);
        std::fflush(stdout);
        return 0;
      }
      default: return 0;
    }
    std::printf("\\n");
    std::fflush(stdout);
  }
}
"""


@pytest.fixture(scope="module")
def facts(qat_model, qat_graph):
    return ModelFacts(
        model=qat_model,
        graph=qat_graph,
        command="python -m firmware_export student.tflite --out firmware",
        symbol=defaults.SYMBOL,
        class_names=(),
        arena_bytes=9680,
        arena_margin=608,
        margin_rule="by rule",
        verified_images=256,
        images_are_real=True,
        parity="all agree",
    )


@pytest.fixture(scope="module")
def golden(qat_model, qat_graph, photos):
    return integrity.golden_vectors(qat_model, qat_graph, photos[:40])


def _build(folder, facts, golden, cxx):
    for name, text in {**model_data.render(facts), **integrity.render(facts, golden)}.items():
        (folder / name).write_text(text)
    harness = HARNESS.replace("NAMESPACE", model_data.namespace(facts.symbol)).replace("SYMBOL", facts.symbol)
    (folder / "harness.cc").write_text(harness)
    sources = [str(folder / name) for name in ("harness.cc", "model_data.cc", "integrity.cc", "golden_vectors.cc")]
    program = str(folder / "harness")
    for extra in (SANITIZERS, ()):  # a compiler may come without its sanitizers' libraries
        done = subprocess.run([cxx, *FLAGS, *extra, *sources, "-o", program], capture_output=True, text=True)
        if done.returncode == 0:
            return program
        if "cannot find" not in done.stderr and "no such file" not in done.stderr.lower():
            break
    pytest.fail(done.stderr)


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
def harness(request, facts, golden, tmp_path_factory):
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} on PATH")
    opened = Harness(_build(tmp_path_factory.mktemp("host"), facts, golden, request.param))
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
    assert harness.verify(facts.model) == STATUS["ok"]


def test_each_status_is_for_its_own_fault(harness, facts):
    model = facts.model
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
    table, _, version = _version_position(facts.model)
    damaged = _flipped(facts.model, len(facts.model) - 1)
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
    damaged = bytearray(facts.model)
    root = root if root >= 0 else len(damaged) + root
    struct.pack_into("<I", damaged, 0, root)
    if root <= len(damaged) - 4 and root >= 8:
        struct.pack_into("<i", damaged, root, distance)
    assert harness.verify(bytes(damaged)) != STATUS["ok"]


@given(st.data())
def test_any_few_flipped_bits_are_found(harness, facts, data):
    places = st.integers(0, 8 * len(facts.model) - 1) | st.integers(0, 8 * 64 - 1)  # offsets lie at the beginning
    damaged = bytearray(facts.model)
    for place in data.draw(st.lists(places, min_size=1, max_size=4, unique=True)):
        damaged[place // 8] ^= 1 << place % 8
    assert harness.verify(bytes(damaged)) != STATUS["ok"]


@pytest.mark.parametrize("step", [1, 7, 256, "length", 2**32 - 1])
def test_scrubbing_ends_alike_whatever_the_step(harness, facts, step):
    length = len(facts.model)
    step = length if step == "length" else step
    steps = -(-length // step)
    for model, verdict in ((facts.model, INTACT), *((_flipped(facts.model, p), CORRUPT) for p in (0, 999, length - 1))):
        assert list(map(int, harness.ask(b"s", step, 0, model))) == [verdict, steps] * 2


def test_an_upset_scrubber_reads_nothing_outside_and_recovers(harness, facts):
    assert list(map(int, harness.ask(b"s", 256, 1, facts.model)))[2] == INTACT


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
    model = np.frombuffer(facts.model, np.uint8)
    owner = generator.integers(0, 90, len(model))
    copies = [np.where(owner == copy, ~model, model).tobytes() for copy in range(3)]
    assert harness.ask(b"m", *copies) == [facts.model.hex()] * 3 + [str(np.count_nonzero(owner < 3))]


def _read_golden(tmp_path, facts, golden):
    cxx = compiler.find_compiler() or pytest.skip("no C++ compiler on PATH")
    return subprocess.run([_build(tmp_path, facts, golden, cxx)], input=b"g", stdout=subprocess.PIPE, check=True).stdout


def test_compiled_golden_vectors_hold_their_bytes(tmp_path, facts, golden):
    assert _read_golden(tmp_path, facts, golden) == golden.content + f"{golden.crc32} 4".encode()


def test_golden_outputs_are_what_tflm_answers(qat_model, qat_graph, photos, golden):
    assert golden.inputs.dtype == np.uint8
    assert golden.outputs.dtype == np.int8
    assert all(any((image == photo).all() for photo in photos[:40]) for image in golden.inputs)
    np.testing.assert_array_equal(
        golden.outputs, oracle.run(qat_model, oracle.quantize_input(golden.inputs, qat_graph))
    )
    assert golden.sha256 == hashlib.sha256(golden.inputs.tobytes() + golden.outputs.tobytes()).hexdigest()
    assert golden.classes == tuple(golden.outputs.argmax(axis=1))


def test_golden_vectors_differ_in_class_as_far_as_possible(qat_model, qat_graph, photos):
    answers = np.eye(10, dtype=np.int8)[[2, 2, 2, 5, 2, 5, 0, 0]]
    golden = integrity.golden_vectors(qat_model, qat_graph, photos[:8], count=5, outputs=answers)
    np.testing.assert_array_equal(golden.inputs, photos[[0, 3, 6, 1, 5]])
    alone = integrity.golden_vectors(qat_model, qat_graph, photos[:8], count=8, outputs=answers)
    assert len({image.tobytes() for image in alone.inputs}) == 8


def test_codes_come_back_as_pixels_where_they_are_pixels(qat_model, qat_graph, photos, codes, golden):
    again = integrity.golden_vectors(qat_model, qat_graph, codes[:40])
    assert again.content == golden.content


def test_another_input_quantization_keeps_the_models_codes(autoencoder_model, facts, tmp_path):
    from firmware_export import flatbuffer

    graph = flatbuffer.read(autoencoder_model)
    other = ModelFacts(**{**vars(facts), "model": autoencoder_model, "graph": graph, "symbol": "weights"})
    codes = np.random.default_rng(1).integers(-128, 128, (6, 64)).astype(np.int8)
    tensor = graph.inputs[0]
    graph = type(graph)(**{**vars(graph), "inputs": (type(tensor)(**{**vars(tensor), "scales": (0.1,)}),)})
    golden = integrity.golden_vectors(autoencoder_model, graph, codes, count=3)
    assert golden.inputs.dtype == np.int8
    text = integrity.render(other, golden)["golden_vectors.h"]
    assert "^ 0x80" not in text
    assert "extern const int8_t kGoldenInputs" in text
    assert _read_golden(tmp_path, other, golden) == golden.content + f"{golden.crc32} 3".encode()


@pytest.mark.parametrize("count", [-1, 0, 5])
def test_a_number_of_vectors_that_cannot_be_is_refused(qat_model, qat_graph, photos, count):
    with pytest.raises(UserError, match=f"{count} golden vectors of 4 images"):
        integrity.golden_vectors(qat_model, qat_graph, photos[:4], count=count)


def test_vectors_of_another_model_do_not_compile(tmp_path, facts, golden):
    cxx = compiler.find_compiler() or pytest.skip("no C++ compiler on PATH")
    other = ModelFacts(**{**vars(facts), "model": _flipped(facts.model, 999)})
    for name, text in {**model_data.render(facts), **integrity.render(other, golden)}.items():
        (tmp_path / name).write_text(text)
    command = [cxx, *FLAGS, "-fsyntax-only", str(tmp_path / "golden_vectors.cc")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "these golden vectors are of another model" in done.stderr


def test_rendering_repeats_and_says_where_it_comes_from(facts, golden):
    files = integrity.render(facts, golden)
    assert files == integrity.render(facts, golden)
    assert tuple(files) == integrity.FILES
    for text in files.values():
        assert facts.command in text
        assert facts.sha256 in text
        assert model_data.package_version() in text
        assert max(map(len, text.splitlines())) <= 120
    assert golden.sha256 in files["golden_vectors.h"]
    assert "GENERATED" not in files["golden_vectors.h"]
    generated = integrity.render(ModelFacts(**{**vars(facts), "images_are_real": False}), golden)
    assert "4 GENERATED images" in generated["golden_vectors.h"]
