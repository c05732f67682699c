"""`--count` of `python -m firmware_export.run`."""

import functools
import json
import shutil

import exporting
import pytest

from firmware_export import run
from firmware_export.board import emulator, targets
from firmware_export.output.folder import sealed

TOOLS = (emulator.COMPILER, emulator.C_COMPILER, emulator.EMULATOR)
needs_tools = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=emulator.INSTALL)


@pytest.fixture
def call(call_in_process):
    return functools.partial(call_in_process, run.main, "firmware_export.run")


@pytest.fixture(scope="module")
def folder(one_convolution, tmp_path_factory):
    made = tmp_path_factory.mktemp("counted") / "firmware"
    part = targets.Target("mine", "My board", "cortex-m4", 50_000_000, 1 << 20, 1 << 20, "given by the user")
    exporting.export(one_convolution, made, engine="rows", target=part)
    return made


@needs_tools
def test_both_cores_are_counted_and_the_time_of_each_part_is_estimated(call, folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = call(folder, "--count")
    assert (code, err) == (0, "")
    assert "mps2-an386 (cortex-m4): " in out
    assert "mps3-an547 (cortex-m55): " in out
    assert "CONV_2D " in out
    assert "mine (asked for)" in out
    assert "wait states are excluded" in out
    for name in ("samv71", "rp2350", "stm32n657"):
        assert name in out
    for name in ("rp2040", "gr712rc", "esp32p4"):
        assert name not in out


@needs_tools
def test_one_machine_may_be_chosen(call, folder):
    code, out, _ = call(folder, "--count", "--machine", "mps2-an500")
    assert code == 0
    assert "mps2-an500 (cortex-m7): " in out
    assert "cortex-m55" not in out
    assert "samv71" in out


def test_a_folder_without_the_row_engine_is_refused(call, folder, tmp_path):
    report = json.loads((folder / "export.json").read_text())
    for name, changed, said in (
        ("tflm", report | {"rows": None}, "export with --engine rows or both"),
        ("old", report | {"rows": {"prefix": "satkd"}}, "lists no layers of the row engine: export again"),
    ):
        other = tmp_path / name
        shutil.copytree(folder, other)
        (other / "export.json").write_text(sealed(changed))
        code, out, err = call(other, "--count")
        assert (code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1
