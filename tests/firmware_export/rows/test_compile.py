"""The generated files as a firmware's author meets them: compiled for every core, called rightly and wrongly."""

import ctypes
import re
import shutil
import subprocess
import zlib

import numpy as np
import pytest
import row_models
import rows_runner

from firmware_export.common.errors import UserError
from firmware_export.common.harden import Harden
from firmware_export.rows import engine, golden, verify
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite import interpreters, reader

CORTEX = ("arm-none-eabi-gcc", "-mthumb")
RISCV = "riscv64-unknown-elf-gcc"
COMPILERS = {
    "gcc": ("gcc",),
    "clang": ("clang",),
    "gcc -O3": ("gcc", "-O3"),
    "cortex-m0plus": (*CORTEX, "-mcpu=cortex-m0plus"),
    "cortex-m4": (*CORTEX, "-mcpu=cortex-m4"),
    "cortex-m7": (*CORTEX, "-mcpu=cortex-m7"),
    "cortex-m33": (*CORTEX, "-mcpu=cortex-m33"),
    "cortex-m55": (*CORTEX, "-mcpu=cortex-m55"),
    "cortex-m85, with Helium": (*CORTEX, "-march=armv8.1-m.main+mve+dsp", "-mfloat-abi=softfp"),
    "rv32imc": ("clang", "--target=riscv32", "-march=rv32imc", "-ffreestanding"),
    "rv32imc, gcc": (RISCV, "-march=rv32imc", "-mabi=ilp32", "-ffreestanding"),
    "rv32imafc, gcc": (RISCV, "-march=rv32imafc", "-mabi=ilp32f", "-ffreestanding"),
    "powerpc, big-endian": ("powerpc-linux-gnu-gcc",),
}


def _write(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)


@pytest.mark.parametrize("name", COMPILERS)
def test_compiles_clean(compiled, vectors, model, name, tmp_path):
    if shutil.which(COMPILERS[name][0]) is None:
        pytest.skip(f"no {COMPILERS[name][0]}: apt-get install it")
    _write(tmp_path, compiled.files | golden.render(model, "make", compiled, vectors, images_are_real=True))
    for file in (path.name for path in sorted(tmp_path.glob("*.c"))):
        command = [*COMPILERS[name], *rows_runner.WARNINGS, "-c", str(tmp_path / file), "-o", str(tmp_path / "out.o")]
        done = subprocess.run([command[0], "-O2", *command[1:]], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_header_is_good_cplusplus(compiled, tmp_path):
    _write(tmp_path, compiled.files)
    (tmp_path / "main.cc").write_text(
        '#include "satkd_model.h"\nstatic satkd_context c;\nint main() { return satkd_begin(&c, sizeof c); }\n'
    )
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "main.cc", "-o", "main.o"]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_answers_by_row_and_by_image(library, context, vectors):
    for image, expected in zip(vectors.inputs, vectors.outputs, strict=True):
        out = np.zeros(expected.size, np.int8)
        given = np.ascontiguousarray(image)
        assert library.satkd_run(context, len(context), given.ctypes, out.ctypes) == rows_runner.STATUS["ok"]
        assert np.array_equal(out, expected.reshape(-1))
        out[:] = 99
        assert library.satkd_begin(context, len(context)) == rows_runner.STATUS["ok"]
        for row in given:
            assert library.satkd_push_row(context, np.ascontiguousarray(row).ctypes) == rows_runner.STATUS["ok"]
        assert library.satkd_finish(context, out.ctypes) == rows_runner.STATUS["ok"]
        assert np.array_equal(out, expected.reshape(-1))


def test_misuse_is_told(library, context, vectors):
    row, out = np.ascontiguousarray(vectors.inputs[0][0]), np.zeros(5, np.int8)
    assert library.satkd_push_row(context, row.ctypes) == rows_runner.STATUS["not begun"]
    assert library.satkd_finish(context, out.ctypes) == rows_runner.STATUS["not begun"]
    assert library.satkd_begin(None, len(context)) == rows_runner.STATUS["null"]
    assert library.satkd_begin(context, len(context)) == rows_runner.STATUS["ok"]
    assert library.satkd_push_row(None, row.ctypes) == rows_runner.STATUS["null"]
    assert library.satkd_push_row(context, None) == rows_runner.STATUS["null"]
    for _ in range(9):
        assert library.satkd_finish(context, out.ctypes) == rows_runner.STATUS["too few"]
        assert library.satkd_push_row(context, row.ctypes) == rows_runner.STATUS["ok"]
    assert library.satkd_push_row(context, row.ctypes) == rows_runner.STATUS["too many"]
    assert library.satkd_finish(context, None) == rows_runner.STATUS["null"]
    assert library.satkd_finish(None, out.ctypes) == rows_runner.STATUS["null"]
    assert library.satkd_finish(context, out.ctypes) == rows_runner.STATUS["ok"]
    assert library.satkd_finish(context, out.ctypes) == rows_runner.STATUS["not begun"]
    for arguments in ((None, row.ctypes, out.ctypes), (context, None, out.ctypes), (context, row.ctypes, None)):
        assert library.satkd_run(arguments[0], len(context), *arguments[1:]) == rows_runner.STATUS["null"]


def test_beginning_again_forgets(library, context, vectors):
    image, out = np.ascontiguousarray(vectors.inputs[0]), np.zeros(5, np.int8)
    library.satkd_begin(context, len(context))
    for row in image[:4]:
        library.satkd_push_row(context, np.ascontiguousarray(255 - row).ctypes)
    assert library.satkd_run(context, len(context), image.ctypes, out.ctypes) == rows_runner.STATUS["ok"]
    assert np.array_equal(out, vectors.outputs[0].reshape(-1))


def test_checksum_is_zlibs(library):
    library.satkd_crc32.restype = ctypes.c_uint32
    library.satkd_crc32.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32)
    for text in (b"", b"123456789", bytes(range(256))):
        assert library.satkd_crc32(text, len(text), 0) == zlib.crc32(text)
        assert library.satkd_crc32(text[5:], len(text[5:]), zlib.crc32(text[:5])) == zlib.crc32(text)


def test_constants_are_what_the_host_says(library, compiled):
    assert library.satkd_verify() == rows_runner.STATUS["ok"]
    scrubber = (ctypes.c_uint32 * 2)()
    size = compiled.report.constants_bytes
    for step in (1, 100, size, size + 1):
        for _ in range(2):
            told = [library.satkd_scrub_step(scrubber, ctypes.c_uint32(step)) for _ in range(-(-size // step))]
            assert set(told[:-1]) <= {rows_runner.STATUS["in progress"]}
            assert told[-1] == rows_runner.STATUS["ok"]
    scrubber[0] = 0xFFFFFFFF
    assert library.satkd_scrub_step(scrubber, ctypes.c_uint32(size)) == rows_runner.STATUS["ok"]
    assert library.satkd_scrub_step(None, ctypes.c_uint32(1)) == rows_runner.STATUS["null"]


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


def test_a_command_cannot_end_the_comment(model):
    text = compile_rows(model, "a */ b\nc")
    assert "a * / b?c" in text.files["satkd_model.c"]


def test_no_float_and_no_heap(compiled):
    code = re.sub(r"/\*.*?\*/", "", "".join(compiled.files.values()), flags=re.DOTALL)
    assert set(re.findall(r"#include [<\"](.*)[>\"]", code)) == {
        "arm_mve.h",
        *(name for name in engine.files() if name.endswith(".h")),
        "satkd_model.h",
        "stdbool.h",
        "stddef.h",
        "stdint.h",
    }
    assert not set(re.findall(r"\w+", code)) & {"float", "double", "malloc", "alloca"}


def test_report_says_what_is_whole():
    whole = row_models.model(lambda b, x: b.pool("MAX_POOL_2D", x, (8, 8), (1, 1), "VALID", "NONE"), (1, 8, 8, 2))
    report = compile_rows(whole, "make").report
    assert [(ring.rows, ring.of_rows, ring.bytes, ring.is_whole) for ring in report.rings] == [
        (8, 8, 128, True),
        (1, 1, 4, False),
    ]


def test_codes_go_in_where_the_input_is_no_pixel(tmp_path):
    model = row_models.every_layer((0.03, -5))
    compiled = compile_rows(model, "make")
    assert "int satkd_push_row(satkd_context *context, const int8_t *row);" in compiled.files["satkd_model.h"]
    assert "round(value / 0.0299999993) + (-5)" in compiled.files["satkd_model.h"]
    codes = np.random.default_rng(0).integers(-128, 128, (2, 9, 7, 3)).astype(np.int8)
    found = rows_runner.run(tmp_path, [model], [codes])[0]
    assert np.array_equal(found, interpreters.run(model, codes).reshape(2, -1))


def test_every_name_has_the_prefix(one_convolution):
    model = reader.read(one_convolution)
    command = "python -m firmware_export satkd_model.tflite --out satkd_SATKD_x"
    made = compile_rows(model, command, prefix="cloud")
    assert made.report.prefix == "cloud"
    assert set(made.files) - set(engine.files()) == {"cloud_model.c", "cloud_model.h"}
    plain = compile_rows(model, command)
    for name in ("cloud_model.c", "cloud_model.h"):
        head, _, body = made.files[name].partition("*/")
        assert command in head
        # The engine's names remain: its functions, types and statuses.
        of_engine = (
            r"satkd_(engine\w*|scrubber|repair_by_majority)|"
            r"SATKD_(ENGINE\w*|OK|CORRUPT|IN_PROGRESS|WRONG_SIZE|WATCHDOG)"
        )
        assert not re.search("satkd", re.sub(of_engine, "", body), re.IGNORECASE)
        renamed = re.sub(r"\bcloud_", "satkd_", re.sub(r"\bCLOUD_", "SATKD_", body))
        assert renamed == plain.files[name.replace("cloud", "satkd")].partition("*/")[2]


@pytest.mark.parametrize("prefix", ["", "Cloud"])
def test_a_bad_prefix_is_refused(prefix):
    with pytest.raises(UserError, match="is not a valid start of C identifiers"):
        compile_rows(None, "make test", prefix=prefix)


def test_a_prefix_is_compiled_and_compared(one_convolution, codes):
    model = reader.read(one_convolution)
    made = compile_rows(model, "make test", prefix="cloud")
    images = codes[:2, :4, :4].copy()
    assert verify.check_answers(made, images.view("uint8") ^ 0x80, interpreters.run(model, images))


@pytest.mark.parametrize("harden", Harden)
def test_levels_say_what_they_are(harden, model):
    made = compile_rows(model, "make test", harden=harden)
    control = compile_rows(model, "make test")
    assert made.report.harden == harden
    header = made.files["satkd_model.h"]
    assert f"Hardening: {harden}." in header
    assert ("int satkd_repair(void);" in header) == (harden is Harden.CORRECT)
    assert (made.report.context_bytes > control.report.context_bytes) == harden.has_data_checks
    assert (made.report.constants_crc32 != control.report.constants_crc32) == harden.has_data_checks
    assert {name: made.files[name] for name in engine.files()} == engine.files()


def test_the_most_multiplications_of_a_step_are_stated():
    def build(builder, given):
        x = builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "NONE", multiplier=1)
        return builder.dense(builder.mean(builder.convolution(x, 8, (1, 1), (1, 1), "SAME", "NONE")), 3, "NONE")

    made = compile_rows(row_models.model(build, (1, 8, 6, 4)), "make test")
    assert f"#define SATKD_STEP_MACS {6 * 4 * 9}\n" in made.files["satkd_model.h"]
