import re
import shutil
import subprocess

import pytest

from firmware_export.bounds import header
from firmware_export.bounds.measure import Bounds, Instructions, not_measured

MEASURED = Bounds(
    core="cortex-m4",
    machine="mps2-an386",
    compiler="arm-none-eabi-gcc 12",
    flags="-O2",
    emulator="QEMU 7",
    images=2,
    stack_bytes={"begin": 40, "run": 400, "self_test": 480},
    instructions={
        name: Instructions(100 + i, 200 + i)
        for i, name in enumerate(["begin", "push_row", "finish", "image", "verify", "scrub_step"])
    },
)


def _macros(text):
    return {name: int(value) for name, value in re.findall(r"^#define (\w+) (\d+)", text, re.MULTILINE)}


def test_every_figure_is_that_of_the_measurement(facts):
    text = header.render(MEASURED, facts, "cloud")["cloud_bounds.h"]
    assert _macros(text) == {
        "CLOUD_STACK_BYTES_CORTEX_M4": 400,
        "CLOUD_SELF_TEST_STACK_BYTES_CORTEX_M4": 480,
        "CLOUD_LONGEST_PUSH_INSTRUCTIONS_CORTEX_M4": 201,
        "CLOUD_IMAGE_INSTRUCTIONS_CORTEX_M4": 203,
        "CLOUD_BEGIN_INSTRUCTIONS_CORTEX_M4": 200,
        "CLOUD_FINISH_INSTRUCTIONS_CORTEX_M4": 202,
        "CLOUD_VERIFY_INSTRUCTIONS_CORTEX_M4": 204,
        "CLOUD_SCRUB_1024_INSTRUCTIONS_CORTEX_M4": 205,
    }
    assert facts.model.sha256 in text


def test_without_a_measurement_no_macro_is_defined(facts):
    text = header.render(not_measured("no compiler */ here"), facts, "cloud")["cloud_bounds.h"]
    assert _macros(text) == {}
    assert "not measured" in text
    assert "no compiler * / here" in text


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler: apt-get install gcc")
@pytest.mark.parametrize("bounds", [MEASURED, not_measured("x")])
def test_it_compiles(facts, bounds, tmp_path):
    (tmp_path / "cloud_bounds.h").write_text(header.render(bounds, facts, "cloud")["cloud_bounds.h"])
    (tmp_path / "x.c").write_text('#include "cloud_bounds.h"\n#include "cloud_bounds.h"\nint x;\n')
    subprocess.run(["gcc", "-std=c99", "-Wall", "-Wpedantic", "-Werror", "-c", "x.c"], cwd=tmp_path, check=True)
