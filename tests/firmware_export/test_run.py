import dataclasses
import functools
import json
import shutil
import subprocess
import sys

import exporting
import pytest

from firmware_export import run as command_line
from firmware_export.board import emulator
from firmware_export.tflm import integrity, model_data
from firmware_export.verify import golden_vectors

TOOLS = (emulator.COMPILER, emulator.C_COMPILER, emulator.EMULATOR)
needs_tools = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=emulator.INSTALL)


@pytest.fixture
def call(call_in_process):
    return functools.partial(call_in_process, command_line.main, "firmware_export.run")


@pytest.fixture
def folder(facts, photos, tmp_path):
    facts = dataclasses.replace(facts, symbol="weights")
    golden = golden_vectors.golden_vectors(facts.model, photos[:2], count=2)
    made = tmp_path / "firmware"
    made.mkdir()
    for name, text in {**model_data.render(facts), **integrity.render(facts, golden)}.items():
        (made / name).write_text(text)
    (made / "export.json").write_text(json.dumps({"symbol": facts.symbol}))
    return made


def test_help_is_light_and_names_the_machines():
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "from firmware_export.run import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'tensorflow', 'tf_keras', 'tflite_micro', 'ai_edge_litert', 'jinja2'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for machine in emulator.MACHINES:
        assert machine in done.stdout


@needs_tools
@pytest.mark.parametrize("machine", [None, "mps3-an547"])
def test_prints_the_checks(call, folder, machine):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, out, err = call(folder, *(["--machine", machine] if machine else []))
    assert (code, err) == (0, "")
    *checks, last = out.splitlines()
    assert all(line.startswith("ok ") for line in checks)
    assert last == f"{machine or 'mps2-an386'} (cortex-m{'55' if machine else '4'}): 24 of 24 checks passed"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@needs_tools
def test_both_engines_are_tried(call, one_convolution, tmp_path):
    """The second is tried, and its failure told, whatever became of the first."""
    folder = tmp_path / "firmware"
    exporting.export(one_convolution, folder, images=None, command="make test", engine="both", engine_prefix="cloud")
    code, out, err = call(folder)
    assert (code, err) == (0, "")
    assert "mps2-an386 (cortex-m4): 24 of 24 checks passed\n" in out
    assert "ok outputs for the golden vectors\n" in out
    assert out.endswith("mps2-an386 (cortex-m4), row engine: 18 of 18 checks passed\n")
    text = (folder / "integrity.cc").read_text()
    assert "is_intact = crc_ == kModelCrc32" in text  # of TFLM's checks alone; the CRC-32 itself serves both engines
    (folder / "integrity.cc").write_text(text.replace("is_intact = crc_ ==", "is_intact = crc_ !="))
    code, out, _ = call(exporting.resealed(folder))
    assert code == 1
    assert "FAILED scrubbing in one step\n" in out
    assert "row engine: 18 of 18 checks passed\n" in out


@needs_tools
def test_a_failed_check_is_exit_code_1(call, folder):
    header = (folder / "golden_vectors.h").read_text()
    crc = header.partition("kGoldenCrc32 = ")[2].partition("u;")[0]
    (folder / "golden_vectors.h").write_text(header.replace(crc, "0x00000000"))
    code, out, _ = call(folder)
    assert code == 1
    assert "FAILED golden vectors' CRC-32\n" in out
    assert out.endswith("23 of 24 checks passed\n")


def test_users_mistakes_are_one_line_and_exit_code_2(call, folder, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    for words, message in (
        ((tmp_path / "nowhere",), "not found: give a folder that"),
        ((empty,), "has no export.json"),
        ((folder, "--machine", "mps2-an500x"), "unknown machine 'mps2-an500x': did you mean 'mps2-an500'?"),
        ((folder, "--timeout", "0"), "--timeout 0, a positive number of seconds expected"),
        ((folder, "--timeout", "nan"), "--timeout nan, a positive number of seconds expected"),
        ((folder, "--timeout", "inf"), "--timeout inf, a positive number of seconds expected"),
    ):
        code, out, err = call(*words)
        assert (code, out) == (2, "")
        assert message in err
        assert err.startswith("error: ")
        assert err.count("\n") == 1
    monkeypatch.setenv("PATH", "/nowhere")
    code, _, err = call(folder)
    assert code == 2
    assert emulator.INSTALL in err
