"""Application and engine built apart: other compilers, other options, another byte order."""

import shutil
import subprocess

import bare_metal
import pytest

from firmware_export.board import emulator
from firmware_export.rows import engine, golden

# Prints what it finds; the bytes behind the context must stay as they are.
MAIN = """
#include "satkd_golden.h"
#ifdef ON_HOST
#include <stdio.h>
static void write_text(const char *text) { fputs(text, stdout); }
#else
void write_text(const char *text);
#endif
static struct { uint8_t before[64]; satkd_context context; uint8_t after[64]; } memory;
int main(void) {
  satkd_scrubber scrubber = {0, 0};
  int status, is_untouched = 1;
  for (int i = 0; i < 64; ++i) memory.before[i] = memory.after[i] = 0x5a;
  write_text(sizeof memory.context == SATKD_CONTEXT_BYTES ? "size " : "no size ");
  write_text(satkd_verify() == SATKD_OK ? "verified " : "not verified ");
  while ((status = satkd_scrub_step(&scrubber, 7)) == SATKD_IN_PROGRESS) {}
  write_text(status == SATKD_OK ? "scrubbed " : "not scrubbed ");
  write_text(satkd_self_test(&memory.context, sizeof memory.context) == SATKD_OK ? "right " : "wrong ");
  for (int i = 0; i < 64; ++i) is_untouched = is_untouched && memory.before[i] == 0x5a && memory.after[i] == 0x5a;
  write_text(is_untouched ? "untouched " : "touched ");
  write_text(satkd_engine_kernels() == 0 ? "portable" : satkd_engine_kernels() == 1 ? "dsp" : "mve");
  return 0;
}
"""
GOOD = "size verified scrubbed right untouched "
MODEL = ("main.c", "satkd_model.c", "satkd_golden.c")
ENGINE = tuple(name for name in engine.files() if name.endswith(".c"))


@pytest.fixture
def folder(compiled, model, vectors, tmp_path):
    texts = compiled.files | golden.render(model, "make", compiled, vectors, images_are_real=True)
    for name, text in {**texts, "main.c": MAIN}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def _compile(folder, compiler, flags, sources):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}: apt-get install it")
    common = ("-std=c99", "-DON_HOST", "-Wall", "-Wextra", "-Werror")
    for source in sources:
        subprocess.run([compiler, *common, *flags, "-c", source, "-o", f"{source}.o"], cwd=folder, check=True)


def _link(folder, compiler, *flags):
    objects = [f"{source}.o" for source in (*MODEL, *ENGINE)]
    subprocess.run([compiler, *flags, *objects, "-o", "program"], cwd=folder, check=True)
    return folder / "program"


@pytest.mark.parametrize(
    ("application", "engine"),
    [
        (("gcc", "-O0", "-funsigned-char"), ("clang", "-O3")),
        (("clang", "-O0", "-funsigned-char", "-fshort-enums"), ("gcc", "-O3", "-fno-strict-aliasing")),
        (("gcc", "-Os"), ("gcc", "-O0")),
    ],
)
def test_other_compilers_and_options(application, engine, folder):
    _compile(folder, application[0], application[1:], MODEL)
    _compile(folder, engine[0], engine[1:], ENGINE)
    program = _link(folder, "gcc")
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == GOOD + "portable"


@pytest.mark.skipif(None in map(shutil.which, (bare_metal.COMPILER, emulator.EMULATOR)), reason=emulator.INSTALL)
@pytest.mark.parametrize(
    ("machine", "application", "engine", "kernels"),
    [
        ("mps2-an500", ("-mno-unaligned-access",), (), "dsp"),  # once 2,553 bytes behind the context were overwritten
        ("mps2-an500", (), ("-mno-unaligned-access",), "portable"),
        ("mps2-an386", ("-O0",), ("-DSATKD_ENGINE_KERNELS=SATKD_ENGINE_PORTABLE",), "portable"),
        ("mps2-an386", ("-Os",), ("-O3",), "dsp"),
        ("mps3-an547", ("-O0",), (), "mve"),
        ("mps3-an547", (), ("-DSATKD_ENGINE_KERNELS=SATKD_ENGINE_DSP",), "dsp"),
        ("mps3-an547", (), ("-O0",), "portable"),
    ],
)
def test_the_kernels_are_the_engines_own_choice(machine, application, engine, kernels, folder):
    core = emulator.MACHINES[machine]
    objects = [
        bare_metal.compile_object(folder / source, core, folder / f"{source}.o", flags)
        for sources, flags in ((MODEL, application), (ENGINE, engine))
        for source in sources
    ]
    assert emulator.run(bare_metal.link(objects, core, folder / "program.elf"), machine) == GOOD + kernels


@pytest.mark.skipif(shutil.which("qemu-ppc") is None, reason="no qemu-ppc: apt-get install qemu-user")
def test_big_endian(folder):
    """PowerPC, for its byte order: that of LEON, for which no packaged emulator runs a program without an OS."""
    compiler = "powerpc-linux-gnu-gcc"
    _compile(folder, compiler, ("-O2",), (*MODEL, *ENGINE))
    program = _link(folder, compiler, "-static")
    assert subprocess.run(["qemu-ppc", program], capture_output=True, text=True, check=True).stdout == GOOD + "portable"


def test_kernels_that_the_core_lacks_are_refused(folder):
    for kernels in ("DSP", "MVE", "OTHER"):
        flag = f"-DSATKD_ENGINE_KERNELS=SATKD_ENGINE_{kernels}"
        done = subprocess.run(
            ["gcc", flag, "-O2", "-Wno-undef", "-c", "satkd_engine_kernels.c"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if kernels != "OTHER":
            assert f"SATKD_ENGINE_{kernels} needs a" in done.stderr
