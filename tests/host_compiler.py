"""Generated C++ on this machine, under the sanitizers where the compiler has them."""

import subprocess
from collections.abc import Sequence

import pytest

from firmware_export import compiler

FLAGS = (*compiler.FLAGS, "-Wconversion", "-Wsign-conversion", "-Wshadow", "-O1", "-g")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def compile_program(cxx: str, arguments: Sequence[str], program: str) -> None:
    """Compile and link; a text that does not compile without warnings fails the test."""
    for extra in (SANITIZERS, ()):  # a compiler may come without its sanitizers' libraries
        command = [cxx, *FLAGS, *extra, *arguments, "-o", program]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if "cannot find" not in done.stderr:
            break
    pytest.fail(done.stderr)
