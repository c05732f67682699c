"""Compile generated C++ on this machine, with sanitizers if the compiler has them."""

import subprocess
from collections.abc import Sequence
from functools import cache

import pytest

from firmware_export.tflm import read_back

FLAGS = (*read_back.FLAGS, "-Wconversion", "-Wsign-conversion", "-Wshadow", "-O1", "-g")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@cache
def flags(cxx: str) -> tuple[str, ...]:
    """Warnings as errors, and the sanitizers unless their libraries are missing."""
    command = [cxx, *SANITIZERS, "-x", "c++", "-", "-o", "/dev/null"]
    linked = subprocess.run(command, input="int main() {}", capture_output=True, text=True, check=False)
    return FLAGS + (SANITIZERS if linked.returncode == 0 else ())


def compile_program(cxx: str, arguments: Sequence[str], program: str) -> None:
    """Compile and link; the test fails on errors and warnings."""
    done = subprocess.run([cxx, *flags(cxx), *arguments, "-o", program], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(done.stderr)
