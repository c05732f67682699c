"""The generated files as a firmware's author meets them: compiled for every core, called rightly and wrongly."""

import ctypes
import dataclasses
import re
import shutil
import subprocess
import zlib

import numpy as np
import pytest
import rows_runner
from int8_graphs import PIXELS, GraphBuilder

from firmware_export.common.errors import UserError
from firmware_export.rows import golden, verify
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite import interpreters, reader
from firmware_export.verify import golden_vectors

CORTEX = ("arm-none-eabi-gcc", "-mthumb")
COMPILERS = {
    "gcc": ("gcc",),
    "clang": ("clang",),
    "gcc -O3": ("gcc", "-O3"),
    "cortex-m0plus": (*CORTEX, "-mcpu=cortex-m0plus"),
    "cortex-m4": (*CORTEX, "-mcpu=cortex-m4"),
    "cortex-m7": (*CORTEX, "-mcpu=cortex-m7"),
    "cortex-m55": (*CORTEX, "-mcpu=cortex-m55"),
    "rv32imc": ("clang", "--target=riscv32", "-march=rv32imc", "-ffreestanding"),
}
STATUS = {"ok": 0, "null": 1, "not begun": 2, "too many": 3, "too few": 4, "corrupt": 5, "in progress": 6, "wrong": 7}


def _everything(quantization=PIXELS):
    """A model with every kernel in it."""
    builder = GraphBuilder(seed=5)
    given = builder.activation((1, 9, 7, 3), quantization)
    x = builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "RELU")
    y = builder.convolution(x, 4, (3, 3), (1, 1), "SAME", "NONE", multiplier=1)
    x = builder.relu("RELU", builder.add(x, y, "NONE"))
    x = builder.pool("MAX_POOL_2D", x, (3, 3), (1, 1), "SAME", "NONE")
    x = builder.pool("AVERAGE_POOL_2D", x, (3, 3), (1, 1), "SAME", "NONE")
    x = builder.pool(
        "AVERAGE_POOL_2D", builder.pad(x, [[0, 0], [1, 1], [0, 0], [0, 1]]), (4, 2), (4, 1), "SAME", "NONE"
    )
    y = builder.dense(builder.reshape(x, (1, 3 * 7 * 5)), 5, "NONE")
    x = builder.add(builder.mean(x), y, "NONE")
    return reader.read(builder.model(given, builder.softmax(x)))


@pytest.fixture(scope="module")
def model():
    return _everything()


@pytest.fixture(scope="module")
def compiled(model):
    return compile_rows(model, "python -m firmware_export m.tflite --engine rows")


@pytest.fixture(scope="module")
def vectors(model):
    images = np.random.default_rng(1).integers(0, 256, (3, 9, 7, 3), dtype=np.uint8)
    return golden_vectors.golden_vectors(model, images, count=3)


@pytest.fixture(scope="module")
def library(model, compiled, vectors, tmp_path_factory):
    """All of it, for this machine."""
    folder = tmp_path_factory.mktemp("library")
    texts = compiled.files | golden.render(model, "make", compiled, vectors, images_are_real=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    sources = [str(folder / name) for name in ("satkd_model.c", "satkd_golden.c")]
    subprocess.run(["gcc", *rows_runner.WARNINGS, "-shared", "-fPIC", *sources, "-o", str(folder / "m.so")], check=True)
    return ctypes.CDLL(str(folder / "m.so"))


@pytest.fixture
def context(compiled):
    return ctypes.create_string_buffer(b"\xff" * compiled.report.context_bytes)


def _write(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)


@pytest.mark.parametrize("name", COMPILERS)
def test_compiles_clean(compiled, vectors, model, name, tmp_path):
    if shutil.which(COMPILERS[name][0]) is None:
        pytest.skip(f"no {COMPILERS[name][0]}: apt-get install it")
    _write(tmp_path, compiled.files | golden.render(model, "make", compiled, vectors, images_are_real=True))
    for file in ("satkd_model.c", "satkd_golden.c"):
        command = [*COMPILERS[name], *rows_runner.WARNINGS, "-c", str(tmp_path / file), "-o", str(tmp_path / "out.o")]
        done = subprocess.run([command[0], "-O2", *command[1:]], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_header_is_good_cplusplus(compiled, tmp_path):
    _write(tmp_path, compiled.files)
    (tmp_path / "main.cc").write_text(
        '#include "satkd_model.h"\nstatic satkd_context c;\nint main() { return satkd_begin(&c); }\n'
    )
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "main.cc", "-o", "main.o"]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_answers_by_row_and_by_image(library, context, vectors):
    for image, expected in zip(vectors.inputs, vectors.outputs, strict=True):
        out = np.zeros(expected.size, np.int8)
        given = np.ascontiguousarray(image)
        assert library.satkd_run(context, given.ctypes, out.ctypes) == STATUS["ok"]
        assert np.array_equal(out, expected.reshape(-1))
        out[:] = 99
        assert library.satkd_begin(context) == STATUS["ok"]
        for row in given:
            assert library.satkd_push_row(context, np.ascontiguousarray(row).ctypes) == STATUS["ok"]
        assert library.satkd_finish(context, out.ctypes) == STATUS["ok"]
        assert np.array_equal(out, expected.reshape(-1))


def test_misuse_is_told(library, context, vectors):
    row, out = np.ascontiguousarray(vectors.inputs[0][0]), np.zeros(5, np.int8)
    assert library.satkd_push_row(context, row.ctypes) == STATUS["not begun"]
    assert library.satkd_finish(context, out.ctypes) == STATUS["not begun"]
    assert library.satkd_begin(None) == STATUS["null"]
    assert library.satkd_begin(context) == STATUS["ok"]
    assert library.satkd_push_row(None, row.ctypes) == STATUS["null"]
    assert library.satkd_push_row(context, None) == STATUS["null"]
    for _ in range(9):
        assert library.satkd_finish(context, out.ctypes) == STATUS["too few"]
        assert library.satkd_push_row(context, row.ctypes) == STATUS["ok"]
    assert library.satkd_push_row(context, row.ctypes) == STATUS["too many"]
    assert library.satkd_finish(context, None) == STATUS["null"]
    assert library.satkd_finish(None, out.ctypes) == STATUS["null"]
    assert library.satkd_finish(context, out.ctypes) == STATUS["ok"]
    assert library.satkd_finish(context, out.ctypes) == STATUS["not begun"]
    for arguments in ((None, row.ctypes, out.ctypes), (context, None, out.ctypes), (context, row.ctypes, None)):
        assert library.satkd_run(*arguments) == STATUS["null"]


def test_beginning_again_forgets(library, context, vectors):
    image, out = np.ascontiguousarray(vectors.inputs[0]), np.zeros(5, np.int8)
    library.satkd_begin(context)
    for row in image[:4]:
        library.satkd_push_row(context, np.ascontiguousarray(255 - row).ctypes)
    assert library.satkd_run(context, image.ctypes, out.ctypes) == STATUS["ok"]
    assert np.array_equal(out, vectors.outputs[0].reshape(-1))


def test_checksum_is_zlibs(library):
    library.satkd_crc32.restype = ctypes.c_uint32
    library.satkd_crc32.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32)
    for text in (b"", b"123456789", bytes(range(256))):
        assert library.satkd_crc32(text, len(text), 0) == zlib.crc32(text)
        assert library.satkd_crc32(text[5:], len(text[5:]), zlib.crc32(text[:5])) == zlib.crc32(text)


def test_constants_are_what_the_host_says(library, compiled):
    assert library.satkd_verify() == STATUS["ok"]
    scrubber = (ctypes.c_uint32 * 2)()
    size = compiled.report.constants_bytes
    for step in (1, 100, size, size + 1):
        for _ in range(2):
            told = [library.satkd_scrub_step(scrubber, ctypes.c_uint32(step)) for _ in range(-(-size // step))]
            assert set(told[:-1]) <= {STATUS["in progress"]}
            assert told[-1] == STATUS["ok"]
    scrubber[0] = 0xFFFFFFFF
    assert library.satkd_scrub_step(scrubber, ctypes.c_uint32(size)) == STATUS["ok"]
    assert library.satkd_scrub_step(None, ctypes.c_uint32(1)) == STATUS["null"]


def test_damaged_copies_are_repaired(library, compiled):
    """Two copies and the original, each with other upsets: the majority of each bit is what was exported."""
    size = compiled.report.constants_bytes
    library.satkd_constants_start.restype = ctypes.c_void_p
    original = np.frombuffer(ctypes.string_at(library.satkd_constants_start(), size), np.uint8)
    assert zlib.crc32(original.tobytes()) == compiled.report.constants_crc32
    generator = np.random.default_rng(3)
    copies = [original.copy() for _ in range(3)]
    places = np.array_split(generator.permutation(size), 4)[:3]
    for copy, damaged in zip(copies, places, strict=True):
        copy[damaged] ^= generator.integers(1, 256, len(damaged), dtype=np.uint8)
    pointers = [copy.ctypes.data_as(ctypes.c_void_p) for copy in copies]
    repair = library.satkd_repair_by_majority
    assert repair(*pointers, ctypes.c_uint32(size)) == sum(map(len, places))
    assert all(np.array_equal(copy, original) for copy in copies)
    assert repair(*pointers, ctypes.c_uint32(size)) == 0


def test_a_changed_constant_is_found(compiled):
    files = dict(compiled.files)
    changed_model = dataclasses.replace(compiled, files=files)
    start = r"(?<=satkd_constants = \{\n  \{\n    )-?\d+"
    files["satkd_model.c"], changed = re.subn(start, lambda found: str(int(found[0]) ^ 4), files["satkd_model.c"])
    assert changed == 1
    with pytest.raises(UserError, match="exit status 3"):
        verify.check_answers(changed_model, np.zeros((1, 9, 7, 3), np.uint8), np.zeros((1, 5), np.int8))


def test_golden_vectors_pass_and_fail(library, context, compiled, model, vectors):
    assert library.satkd_self_test(context) == STATUS["ok"]
    text = golden.render(model, "make", compiled, vectors, images_are_real=False)["satkd_golden.h"]
    assert "3 GENERATED images" in text
    assert vectors.sha256 in text


def test_wrong_golden_vectors_are_told(compiled, model, vectors, tmp_path):
    other = golden_vectors.GoldenVectors(vectors.inputs, vectors.outputs ^ 1)
    _write(tmp_path, compiled.files | golden.render(model, "make", compiled, other, images_are_real=True))
    main = '#include "satkd_golden.h"\nstatic satkd_context c;\nint main(void) { return satkd_self_test(&c); }\n'
    (tmp_path / "main.c").write_text(main)
    subprocess.run(["gcc", "main.c", "satkd_golden.c", "satkd_model.c", "-o", "main"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], check=False).returncode == STATUS["wrong"]


def test_the_export_compares_every_answer(compiled, model, vectors):
    said = verify.check_answers(compiled, vectors.inputs, vectors.outputs)
    assert said is not None
    wrong = vectors.outputs.copy()
    wrong.reshape(-1)[3] ^= 1
    with pytest.raises(RuntimeError, match="differs from TensorFlow Lite Micro in 1 of 15 outputs"):
        verify.check_answers(compiled, vectors.inputs, wrong)


def test_codes_go_in_where_the_input_is_no_pixel(tmp_path):
    model = _everything((0.03, -5))
    compiled = compile_rows(model, "make")
    assert "int satkd_push_row(satkd_context *context, const int8_t *row);" in compiled.files["satkd_model.h"]
    assert "round(value / 0.0299999993) + (-5)" in compiled.files["satkd_model.h"]
    codes = np.random.default_rng(0).integers(-128, 128, (2, 9, 7, 3)).astype(np.int8)
    found = rows_runner.run(tmp_path, [compiled], [codes])[0]
    assert np.array_equal(found, interpreters.run(model, codes).reshape(2, -1))


def test_a_command_cannot_end_the_comment(model):
    text = compile_rows(model, "a */ b\nc")
    assert "a * / b?c" in text.files["satkd_model.c"]


def test_no_float_and_no_heap(compiled):
    code = re.sub(r"/\*.*?\*/", "", "".join(compiled.files.values()), flags=re.DOTALL)
    assert set(re.findall(r"#include [<\"](.*)[>\"]", code)) == {
        "arm_mve.h",
        "satkd_model.h",
        "stddef.h",
        "stdint.h",
    }
    assert not set(re.findall(r"\w+", code)) & {"float", "double", "malloc", "alloca"}


def test_report_says_what_is_whole(model):
    builder = GraphBuilder()
    given = builder.activation((1, 8, 8, 2))
    pooled = builder.pool("MAX_POOL_2D", given, (8, 8), (1, 1), "VALID", "NONE")
    report = compile_rows(reader.read(builder.model(given, pooled)), "make").report
    assert [(ring.rows, ring.of_rows, ring.bytes, ring.is_whole) for ring in report.rings] == [
        (8, 8, 128, True),
        (1, 1, 4, False),
    ]
