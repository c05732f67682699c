"""The row engine's kernels on emulated cores, against plain 64-bit arithmetic."""

import shutil
from pathlib import Path

import pytest

import bare_metal
from firmware_export import emulator

HARNESS = Path(__file__).parent / "rows_kernels_harness.c"
TEMPLATES = Path(emulator.__file__).parent / "templates" / "rows"
KERNELS = {"mps2-an386": "kernels_dsp.h", "mps2-an500": "kernels_dsp.h", "mps3-an547": "kernels_mve.h"}

needs_emulator = pytest.mark.skipif(
    None in map(shutil.which, (bare_metal.COMPILER, emulator.EMULATOR)), reason=emulator.INSTALL
)


def checked(machine, kernels, folder, seed=1, flags=()):
    core = emulator.MACHINES[machine]
    flags = [*bare_metal.WARNINGS, f'-DKERNELS="{kernels}"', f"-DSEED={seed}", "-I", str(TEMPLATES), *flags]
    program = bare_metal.compile_object(HARNESS, core, folder / "harness.o", flags)
    return emulator.run(bare_metal.link([program], core, folder / "harness.elf"), machine)


@needs_emulator
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("machine", sorted(KERNELS))
def test_kernels_match_plain_arithmetic(machine, seed, tmp_path):
    printed = checked(machine, KERNELS[machine], tmp_path, seed)
    assert printed.splitlines() == ["ok convolution rows", "ok addition rows"]
