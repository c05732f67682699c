import logging
import subprocess
import sys
from dataclasses import dataclass

import pytest

from firmware_export.common.command_line import Verbosity, VerbosityFlags, read
from firmware_export.common.errors import UserError


@dataclass(frozen=True)
class Arguments:
    """Nothing but how much is said."""

    verbosity: VerbosityFlags = Verbosity()


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ([], logging.INFO),
        (["-q"], logging.WARNING),
        (["--quiet"], logging.WARNING),
        (["-v"], logging.DEBUG),
        (["--verbose"], logging.DEBUG),
    ],
)
def test_how_much_is_said(words, level):
    assert read(Arguments, "test", words).verbosity.level == level


def test_quiet_and_verbose_are_not_both():
    with pytest.raises(UserError, match="contradict each other"):
        _ = read(Arguments, "test", ["-q", "-v"]).verbosity.level


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        (logging.WARNING, ["our warning", "TensorFlow's error"]),
        (logging.INFO, ["our step", "our warning", "TensorFlow's error"]),
        (logging.DEBUG, ["our step", "our warning", "TensorFlow's warning", "TensorFlow's error"]),
    ],
)
def test_whose_log_is_shown_and_where(level, shown):
    # In a process of its own, since pytest has put handlers of its own into this one.
    code = (
        "import logging\n"
        "from firmware_export.common.command_line import show_log\n"
        f"show_log({level})\n"
        "logging.getLogger('keras_satkd.run.folder').info('our step')\n"
        "logging.getLogger('firmware_export.export').warning('our warning')\n"
        "logging.getLogger('tensorflow').warning('TensorFlow\\'s warning')\n"
        "logging.getLogger('tensorflow').error('TensorFlow\\'s error')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = done.stderr.splitlines()
    assert done.stdout == ""
    if level == logging.DEBUG:
        assert said[0].endswith("keras_satkd.run.folder: our step")
        said = [line.partition(": ")[2] for line in said]
    assert said == shown
