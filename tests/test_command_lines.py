"""Common behavior of all console scripts, which `[project.scripts]` in pyproject.toml lists."""

import os
import pty
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
SCRIPTS = PROJECT["scripts"]
HEAVY = {"tensorflow", "keras", "tf_keras", "numpy", "tflite_micro", "ai_edge_litert"}
COLOR = re.compile(r"\x1b\[(\d+;)*[349]\d")


def called(script: str, *words: str) -> list[str]:
    """The command that an installed script runs; it also prints "heavy import" if a heavy library was imported."""
    module, function = SCRIPTS[script].split(":")
    code = (
        "import importlib, sys\n"
        f"sys.argv = ['/somewhere/bin/{script}', *{list(words)!r}]\n"
        f"try: importlib.import_module({module!r}).{function}()\n"
        f"finally:\n    if {HEAVY!r} & set(sys.modules): print('heavy import')\n"
    )
    return [sys.executable, "-c", code]


def on_terminal(command: list[str], **environment: str) -> str:
    """The output of a command on a terminal."""
    leader, follower = pty.openpty()
    ours = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env={**ours, "TERM": "xterm", **environment}
    ):
        os.close(follower)
        parts = []
        try:
            while part := os.read(leader, 1 << 16):
                parts.append(part)
        except OSError:  # Linux reports this when the other end is closed
            pass
    os.close(leader)
    return b"".join(parts).decode()


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_light_plain_in_a_pipe_and_called_by_the_scripts_name(script):
    done = subprocess.run(called(script, "--help"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {script} ")
    assert "heavy import" not in done.stdout
    assert "\x1b" not in done.stdout
    for flag in ("-q, --quiet", "-v, --verbose"):
        assert flag in done.stdout


@pytest.mark.parametrize("words", [["--help"], ["--nonsense"]])
def test_colors_on_a_terminal_unless_no_color_is_set(words):
    assert COLOR.search(on_terminal(called("satkd-export", *words))) or words == ["--help"]
    assert "\x1b" in on_terminal(called("satkd-export", *words))
    assert "\x1b" not in on_terminal(called("satkd-export", *words), NO_COLOR="1")


def test_a_wrong_flag_is_code_2_without_colors_in_a_pipe():
    done = subprocess.run(called("satkd-export", "--nonsense"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("--help lists the options\n")
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr
