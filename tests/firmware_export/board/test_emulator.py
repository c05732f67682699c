import json
import re
import shutil
import subprocess

import pytest

from firmware_export.board import emulator
from firmware_export.common.errors import UserError
from firmware_export.tflm import integrity, model_data
from firmware_export.verify import golden_vectors

needs_compiler = pytest.mark.skipif(shutil.which(emulator.COMPILER) is None, reason=emulator.INSTALL)
needs_emulator = pytest.mark.skipif(shutil.which(emulator.EMULATOR) is None, reason=emulator.INSTALL)
MACHINES = sorted(emulator.MACHINES)


@pytest.fixture(scope="module")
def texts(facts, photos):
    """A whole export's text, but for `model_ops.h`."""
    golden = golden_vectors.golden_vectors(facts.model, photos[:8])
    return {
        **model_data.render(facts),
        **integrity.render(facts, golden),
        "export.json": json.dumps({"symbol": facts.symbol}),
    }


def _edit(path, old, new, count=1):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


@needs_compiler
@pytest.mark.parametrize("core", sorted(emulator.CORES))
def test_compiles_for_every_core_without_warnings(core, folder, tmp_path):
    elf = emulator.build(folder, core, tmp_path / "checks.elf")
    assert elf.read_bytes()[:4] == b"\x7fELF"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checks.elf", "firmware"]


@needs_compiler
@needs_emulator
@pytest.mark.parametrize("machine", MACHINES)
def test_every_check_passes_on_every_machine(machine, folder, tmp_path):
    elf = emulator.build(folder, emulator.MACHINES[machine], tmp_path / "checks.elf")
    printed = emulator.run(elf, machine)
    assert all(line.startswith("ok ") for line in printed.splitlines())
    assert len(printed.splitlines()) == 24
    assert not emulator.has_failed(printed)
    assert emulator.run(elf, machine) == printed


@needs_compiler
@needs_emulator
@pytest.mark.parametrize("machine", MACHINES)
def test_a_damaged_array_fails(machine, folder, tmp_path):
    path = folder / "model_data.cc"
    last = re.findall("0x[0-9a-f]{2}", path.read_text())[-1]
    head, _, tail = path.read_text().rpartition(last)
    path.write_text(f"{head}0x{int(last, 16) ^ 1:02x}{tail}")
    printed = emulator.run(emulator.build(folder, emulator.MACHINES[machine], tmp_path / "checks.elf"), machine)
    assert emulator.has_failed(printed)
    failed = [line for line in printed.splitlines() if line.startswith("FAILED")]
    assert failed == ["FAILED array's CRC-32", "FAILED VerifyModel of the array"]


# A byte before the array in the same section: the compiler emits such assembly ahead of everything else.
UNALIGNED = (
    '__asm__(".section .rodata.x,\\"a\\",%progbits\\n.byte 1\\n.text\\n");\n[[gnu::section(".rodata.x")]] alignas(1)'
)
DEFECTS = {
    "another polynomial": ("integrity.cc", "0x1db71064u", "0x1db71065u", "CRC-32 of 123456789"),
    "golden vectors of other bytes": ("golden_vectors.cc", "", "", "golden"),
    "unaligned array": ("model_data.cc", "alignas(16)", UNALIGNED, "array's alignment"),
    "array in RAM": ("model_data.cc", "alignas(16)", '[[gnu::section(".data.x")]] alignas(16)', "array in flash"),
    "identifier unread": ("integrity.cc", "!= kIdentifier[i]", "== 0", "flipped bits in the identifier"),
    "version unread": ("integrity.cc", "== kSchemaVersion", "!= 99", "flipped bits in the schema version"),
    "root trusted": ("integrity.cc", "if (table > kModelBytes - 4)", "if (table > ~0u - 4)", "processor fault"),
    "alignment unread": ("integrity.cc", "% kAlignment != 0", "% 1 != 0", "misaligned copy"),
    "length unread": ("integrity.cc", "length != kModelBytes", "length == 0", "wrong length"),
    "last byte unread": ("integrity.cc", "i < length;", "i + 1 < length;", "CRC-32 of 123456789"),
    "any instead of most": ("integrity.cc", "(a[i] & b[i]) |", "(a[i] | b[i]) |", "majority repair of three"),
    "scrubber keeps its sum": ("integrity.cc", "  crc_ = 0;\n  return", "  return", "scrubbing in steps of 7"),
}


@needs_compiler
@needs_emulator
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_seen(defect, folder, tmp_path):
    """The checks check: each of these defects makes the one that is there for it fail."""
    name, old, new, check = DEFECTS[defect]
    if defect.startswith("golden"):
        text = (folder / name).read_text()
        new = f"0x{int(re.search(r'^        (0x..), ', text, re.M)[1], 16) ^ 0x80:02x}"
        (folder / name).write_text(re.sub(r"^        0x..", f"        {new}", text, count=1, flags=re.M))
    else:
        _edit(folder / name, old, new)
    printed = emulator.run(emulator.build(folder, "cortex-m4", tmp_path / "checks.elf"), "mps2-an386")
    assert any(line.startswith(f"FAILED {check}") for line in printed.splitlines()), printed


@needs_compiler
@needs_emulator
def test_a_program_for_another_part_or_too_slow_is_named(folder, tmp_path):
    elf = emulator.build(folder, "cortex-m4", tmp_path / "checks.elf")
    with pytest.raises(UserError, match=r"checks.elf gave no result on mps3-an547 \(qemu.*build it for cortex-m55"):
        emulator.run(elf, "mps3-an547")
    with pytest.raises(UserError, match=r"checks.elf did not end on mps2-an386 in 0.001 s"):
        emulator.run(elf, "mps2-an386", timeout_seconds=0.001)


@needs_compiler
def test_a_failed_build_leaves_what_was_there(folder, tmp_path, monkeypatch):
    out = tmp_path / "checks.elf"
    out.write_text("older")
    small = emulator.Core(emulator.CORES["cortex-m4"].flags, flash_bytes=8192)
    with monkeypatch.context() as patched:
        patched.setattr(emulator, "CORES", {"cortex-m4": small})
        with pytest.raises(UserError, match="does not fit cortex-m4's emulated 8 KiB of flash and 4096 KiB of RAM"):
            emulator.build(folder, "cortex-m4", out)
        small = emulator.Core(emulator.CORES["cortex-m4"].flags, ram_bytes=32768)
        patched.setattr(emulator, "CORES", {"cortex-m4": small})
        with pytest.raises(UserError, match="does not fit"):
            emulator.build(folder, "cortex-m4", out)
    (folder / "integrity.cc").write_text((folder / "integrity.cc").read_text() + "static int unused() { return 1; }\n")
    with pytest.raises(UserError, match=r"failed for cortex-m4 \(.*unused.*export the model again"):
        emulator.build(folder, "cortex-m4", out)
    assert out.read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checks.elf", "firmware"]


@needs_compiler
def test_freestanding_checks_call_no_library(folder, tmp_path):
    """What firmware links is `integrity.cc` alone: no undefined symbol, no writable data."""
    command = [emulator.COMPILER, *emulator.CORES["cortex-m0plus"].flags, *emulator.FLAGS]
    subprocess.run([*command, "-c", str(folder / "integrity.cc"), "-o", str(tmp_path / "o")], check=True)
    symbols = subprocess.run(["arm-none-eabi-nm", str(tmp_path / "o")], check=True, capture_output=True, text=True)
    assert not re.search(r"^ +U |^\w+ [dDbB] ", symbols.stdout, re.M), symbols.stdout


def test_missing_tools_are_named_with_what_installs_them(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"arm-none-eabi-g\+\+ not found on PATH: install it with apt-get install"):
        emulator.build(folder, "cortex-m4", tmp_path / "checks.elf")
    with pytest.raises(UserError, match="qemu-system-arm not found on PATH: install it with apt-get install"):
        emulator.run(tmp_path / "checks.elf", "mps2-an386")


def test_unknown_names_are_refused_with_the_nearest(folder, tmp_path):
    with pytest.raises(UserError, match="unknown core 'cortex-m5': did you mean 'cortex-m55'"):
        emulator.build(folder, "cortex-m5", tmp_path / "checks.elf")
    with pytest.raises(UserError, match="unknown machine 'mps2-an38': did you mean 'mps2-an386'"):
        emulator.run(tmp_path / "checks.elf", "mps2-an38")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"symbol": 1}', '{"symbol": "1x"}', "\xff"])
def test_a_folder_without_a_symbol_is_refused(folder, tmp_path, content):
    (folder / "export.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=r"export.json' (has no valid symbol|is not readable)"):
        emulator.build(folder, "cortex-m4", tmp_path / "checks.elf")


def test_what_is_no_exported_folder_is_refused(folder, tmp_path):
    for name in ("integrity.cc", "model_data.h"):
        (folder / name).unlink()
    with pytest.raises(UserError, match=r"lacks integrity.cc, model_data.h: export the model again"):
        emulator.build(folder, "cortex-m4", tmp_path / "checks.elf")
    (folder / "export.json").unlink()
    with pytest.raises(UserError, match=r"has no export.json: give a folder that"):
        emulator.build(folder, "cortex-m4", tmp_path / "checks.elf")
    with pytest.raises(UserError, match=r"'.*nowhere' not found: give a folder that"):
        emulator.build(tmp_path / "nowhere", "cortex-m4", tmp_path / "checks.elf")
    assert [path.name for path in tmp_path.iterdir()] == ["firmware"]
