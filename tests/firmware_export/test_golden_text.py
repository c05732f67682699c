"""Every generated file of one small model, word for word, so that a diff shows what a change of a template does.

To write the expected text anew, and then read the diff:

    REGENERATE=1 python -m pytest tests/firmware_export/test_golden_text.py
"""

import os
import shutil
from pathlib import Path

import exporting
import numpy as np
import pytest

import firmware_export
from firmware_export.memory import arena
from firmware_export.output import build_systems
from firmware_export.tflm import read_back

EXPECTED = Path(__file__).parent / "golden_text"


@pytest.fixture
def generated(one_convolution, tmp_path, monkeypatch):
    """The text files by name; what depends on the machine or on a release is replaced."""
    monkeypatch.setattr(firmware_export, "__version__", "1.2.3")
    monkeypatch.setattr(read_back, "check_array", lambda *_: "a C++ compiler")
    monkeypatch.setattr(arena, "_least_bytes", lambda *_: 4096)
    exporting.export(
        one_convolution,
        tmp_path / "firmware",
        images=np.random.default_rng(8).integers(0, 256, (256, 4, 4, 3), np.uint8),
        class_names=("land", "water", "cloud"),
        command="python -m firmware_export model.tflite --out firmware",
        formats=list(build_systems.FORMATS),
    )
    files = (path for path in (tmp_path / "firmware").rglob("*") if path.is_file() and path.name != "model.tflite")
    return {str(path.relative_to(tmp_path / "firmware")): path.read_text() for path in files}


def test_text_is_as_expected(generated):
    if os.environ.get("REGENERATE"):
        shutil.rmtree(EXPECTED, ignore_errors=True)
        for name, text in generated.items():
            (EXPECTED / name).parent.mkdir(parents=True, exist_ok=True)
            (EXPECTED / name).write_text(text)
        pytest.skip(f"{len(generated)} files written to {EXPECTED.name}: read their diff")
    expected = {str(path.relative_to(EXPECTED)): path.read_text() for path in EXPECTED.rglob("*") if path.is_file()}
    assert generated.keys() == expected.keys()
    for name, text in generated.items():
        assert text == expected[name], f"{name}: see this module's first lines if that is meant"
