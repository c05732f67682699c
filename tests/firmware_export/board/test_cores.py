"""The row engine's code in a linked program is as large as the table says."""

import shutil
import subprocess

import pytest

from firmware_export.board import emulator
from firmware_export.board.cores import CORES, DSP, MVE, PORTABLE
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite import reader

ARM, RISC_V, POWER_PC = "arm-none-eabi", "riscv64-unknown-elf", "powerpc-linux-gnu"
COMPILERS = {
    **{core: (ARM, f"-mcpu={core}", "-mthumb") for core in ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m33")},
    "cortex-m7": (ARM, "-mcpu=cortex-m7", "-mthumb"),
    "cortex-m55": (ARM, "-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard"),
    "rv32imafc": (RISC_V, "-march=rv32imafc", "-mabi=ilp32f"),
    "rv64gc": (RISC_V, "-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany"),
    "leon3": (POWER_PC, "-m32", "-fno-pic"),
}
FLAGS = (
    *("-O2", "-std=c99", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-nostdlib", "-static"),
    "-Wl,--gc-sections,--entry=satkd_run,--unresolved-symbols=ignore-all",
)
FUNCTIONS = ("begin", "push_row", "finish", "run", "verify", "scrub_step")


@pytest.mark.parametrize("core", COMPILERS)
def test_code_size(core, one_convolution, tmp_path):
    tools, *flags = COMPILERS[core]
    if shutil.which(f"{tools}-gcc") is None:
        pytest.skip(f"apt-get install gcc-{tools}")
    made = compile_rows(reader.read(one_convolution), "make test")
    for name, text in made.files.items():
        (tmp_path / name).write_text(text)
    sources = [name for name in made.files if name.endswith(".c")]
    wanted = [f"-Wl,--undefined=satkd_{name}" for name in FUNCTIONS]
    subprocess.run(
        [f"{tools}-gcc", *flags, *FLAGS, *wanted, *sources, "-lgcc", "-o", "linked"],
        check=True,
        cwd=tmp_path,
        capture_output=True,
    )
    size = subprocess.run([f"{tools}-size", "linked"], check=True, cwd=tmp_path, capture_output=True, text=True).stdout
    code = int(size.splitlines()[1].split()[0]) - made.report.constants_bytes
    assert CORES[core].rows_code_bytes == pytest.approx(code, rel=0.1), f"{code} bytes: correct cores.CORES"


def test_kernels_and_ranges_are_possible():
    for core in CORES.values():
        assert core.kernels in (PORTABLE, DSP, MVE)
        assert (core.counted_as is None) == (core.cycles is None)
        assert core.counted_as in (None, *emulator.MACHINES.values())
        if core.cycles is not None:
            assert 0 < core.cycles.least <= core.cycles.most
            assert core.cycles.reason


def test_a_core_is_counted_as_one_with_the_same_kernels():
    for core in CORES.values():
        if core.counted_as is not None:
            assert CORES[core.counted_as].kernels == core.kernels
