"""The row engine of an exported folder on emulated cores, and which programs a folder gives."""

import json
import re
import shutil

import pytest

from firmware_export.board import check_programs, emulator
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.rows import golden
from firmware_export.rows.compile import compile_rows
from firmware_export.verify import golden_vectors

TOOLS = (emulator.COMPILER, emulator.C_COMPILER, emulator.EMULATOR)
needs_tools = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=emulator.INSTALL)


@pytest.fixture(scope="module")
def texts(qat_model, photos):
    """What an export for the row engine alone writes, under another prefix."""
    rows = compile_rows(qat_model, "make test", prefix="cloud")
    vectors = golden_vectors.golden_vectors(qat_model, photos[:8], count=2)
    said = {"symbol": "unused", "rows": {"prefix": "cloud"}, "files": ["cloud_model.c"]}
    rendered = golden.render(qat_model, "make test", rows, vectors, images_are_real=False)
    return rows.files | rendered | {"export.json": json.dumps(said)}


def _printed(folder, machine="mps2-an386"):
    elf = emulator.build(folder, emulator.MACHINES[machine], folder.parent / "checks.elf", Engine.ROWS)
    return emulator.run(elf, machine)


@needs_tools
@pytest.mark.parametrize("core", sorted(emulator.CORES))
def test_compiles_for_every_core_without_warnings(core, folder, tmp_path):
    elf = emulator.build(folder, core, tmp_path / "checks.elf", Engine.ROWS)
    assert elf.read_bytes()[:4] == b"\x7fELF"


@needs_tools
@pytest.mark.parametrize("machine", sorted(emulator.MACHINES))
def test_the_row_engine_answers_as_tflm_on_every_machine(machine, folder):
    printed = _printed(folder, machine)
    assert all(line.startswith("ok ") for line in printed.splitlines()), printed
    assert "ok outputs for the golden vectors\n" in printed
    assert len(printed.splitlines()) == 18


DEFECTS = {
    "any instead of most": ("satkd_engine_repair.c", "a[i] & b[i]) |", "a[i] | b[i]) |", "majority repair of three"),
    "uncounted": ("satkd_engine_repair.c", "    corrected = 1;", "    corrected = 0;", "majority repair counts"),
    "another polynomial": ("satkd_engine_repair.c", "0x1db71064u", "0x1db71065u", "CRC-32 of 123456789"),
    "scrubber keeps its sum": (
        "satkd_engine_repair.c",
        "SATKD_CORRUPT;\n    scrubber->position = 0;\n    scrubber->crc = 0;",
        "SATKD_CORRUPT;\n    scrubber->position = 0;",
        "scrubbing in one step",
    ),
    "constants in RAM": (
        "cloud_model.c",
        "static const cloud_constants_t cloud_constants =",
        '__attribute__((section(".data.x"))) static const cloud_constants_t cloud_constants =',
        "constants in flash",
    ),
    "beginning keeps the position": ("satkd_engine.c", "  state->position = 0;\n", "", "row by row in a corrupted"),
    "rows without a beginning": (
        "satkd_engine.c",
        "(state->begun != satkd_engine_begun(call))",
        "(state->begun == 0u)",
        "row pushed before begin",
    ),
    "counters are not checked": (
        "satkd_engine.c",
        "sum == state->position",
        "(sum | state->position) != 1",
        "flipped bits of the counters",
    ),
    "sizes are not checked": (
        "satkd_engine.c",
        "(context_bytes > (size_t)(call.head.context_bytes + most))",
        "0",
        "context of another size",
    ),
}


@needs_tools
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_seen(defect, folder):
    """The checks check: each of these defects makes the one that is there for it fail."""
    name, old, new, check = DEFECTS[defect]
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    printed = _printed(folder)
    assert any(line.startswith(f"FAILED {check}") for line in printed.splitlines()), printed


@needs_tools
def test_other_answers_and_other_constants_are_seen(folder, texts):
    golden_text = texts["cloud_golden.c"]
    outputs = golden_text.partition("cloud_golden_outputs[CLOUD_GOLDEN_VECTORS][CLOUD_OUTPUTS] = {")[2]
    other = re.sub(r"-?\d+", lambda found: str(int(found[0]) ^ 1), outputs, count=1)
    (folder / "cloud_golden.c").write_text(golden_text.replace(outputs, other))
    assert "FAILED outputs for the golden vectors\n" in _printed(folder)
    (folder / "cloud_golden.c").write_text(golden_text)
    start = r"(?<=\.bias_1 = \{\n    )-?\d+"
    model = re.sub(start, lambda found: str(int(found[0]) ^ 4), texts["cloud_model.c"])
    assert model != texts["cloud_model.c"]
    (folder / "cloud_model.c").write_text(model)
    failed = [line for line in _printed(folder).splitlines() if line.startswith("FAILED")]
    assert failed == ["FAILED constants' CRC-32", "FAILED cloud_verify"]


@pytest.mark.parametrize(
    ("said", "engines"),
    [
        ({}, ("tflm",)),
        ({"rows": None, "files": ["model_data.cc"]}, ("tflm",)),
        ({"rows": {"prefix": "cloud"}, "files": ["cloud_model.c"]}, ("rows",)),
        ({"rows": {"prefix": "cloud"}, "files": ["cloud_model.c", "model_data.cc"]}, ("tflm", "rows")),
    ],
)
def test_engines_are_those_that_the_report_names(folder, said, engines):
    (folder / "export.json").write_text(json.dumps({"symbol": "weights", **said}))
    assert check_programs.engines(folder) == engines


def test_a_folder_without_what_is_asked_for_is_refused(folder):
    with pytest.raises(UserError, match="has no files for engine tflm: export the model for this engine"):
        check_programs.find(folder, Engine.TFLM)
    (folder / "cloud_golden.h").unlink()
    with pytest.raises(UserError, match=r"lacks cloud_golden\.h: export the model again"):
        check_programs.find(folder, Engine.ROWS)
    for prefix in ("../x", 3, ["a"]):
        (folder / "export.json").write_text(json.dumps({"symbol": "unused", "rows": {"prefix": prefix}}))
        with pytest.raises(UserError, match=r"export.json' has no valid symbol"):
            check_programs.engines(folder)
