import functools
import json
import subprocess
import sys

import pytest

from firmware_export.upsets import __main__ as command_line


@pytest.fixture
def call(call_in_process, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return functools.partial(call_in_process, command_line.main, "firmware_export.upsets")


def test_help_is_light():
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "from firmware_export.upsets.__main__ import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'tensorflow', 'tf_keras', 'tflite_micro', 'ai_edge_litert', 'jinja2'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--upsets-per-bit-day" in done.stdout


def test_a_campaign(call, exported_path, tmp_path):
    words = (exported_path, "--samples", 20, "--slow-samples", 0, "--jobs", 1)
    code, out, err = call(*words)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "upsets/upsets.html, upsets/upsets.md, upsets/upsets.json"
    first = json.loads((tmp_path / "upsets" / "upsets.json").read_text())
    assert first["mission"] is None
    code, out, err = call(*words, "--upsets-per-bit-day", "1e-7", "--bound", "0.1")
    assert (code, err) == (0, "")
    assert "scrub period for" in (tmp_path / "upsets" / "upsets.md").read_text()
    again = json.loads((tmp_path / "upsets" / "upsets.json").read_text())
    assert again["folders"][0]["regions"] == first["folders"][0]["regions"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no folder: give a folder"),
        (("nothing",), "folder 'nothing' not found"),
        (("FOLDER", "--samples", 0), "--samples 0, 1 or more expected"),
        (("FOLDER", "--slow-samples", -1), "--slow-samples -1, 0 or more expected"),
        (("FOLDER", "--jobs", 0), "--jobs 0, 1 or more expected"),
        (("FOLDER", "--seed", -1), "--seed -1, 0 or more expected"),
        (("FOLDER", "--margin", 2), "--margin 2, a number from 0.001 to 0.5 expected"),
        (("FOLDER", "--bound", 1), "--bound 1 needs an upset rate"),
        (("FOLDER", "--upsets-per-bit-day", 0), "--upsets-per-bit-day 0, a positive number expected"),
        (("FOLDER", "--out", "FILE"), "is a file, a folder expected"),
        (("FOLDER", "--images", "nothing.png"), "images 'nothing.png' is not a folder"),
        (("FOLDER", "FOLDER"), "is given twice"),
    ],
)
def test_errors_are_one_line(call, exported_path, tmp_path, words, message):
    (tmp_path / "file").write_text("")
    known = {"FOLDER": exported_path, "FILE": tmp_path / "file"}
    code, out, err = call(*(known.get(word, word) for word in words))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert message in err
    assert not (tmp_path / "upsets").exists()
