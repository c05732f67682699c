"""Check that the generated text contains the model's bytes: compile it and read them back."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from firmware_export.common.errors import UserError
from firmware_export.common.steps import step
from firmware_export.tflm.model_data import render_read_back

COMPILERS = ("g++", "clang++", "c++")
FLAGS = ("-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fno-exceptions", "-fno-rtti")


def find_compiler() -> str | None:
    """The path of a C++ compiler on PATH, or None."""
    return next(filter(None, map(shutil.which, COMPILERS)), None)


@step("compiling the array")
def check_array(files: Mapping[str, str], symbol: str, model: bytes) -> str | None:
    """Compile `model_data.cc` and its header, run the result, and compare the bytes; without a compiler, only parse.

    Args:
        files: the generated text, by file name.
        symbol: the array's name.
        model: the expected content of the array.

    Returns:
        The first line of the compiler's `--version`; None if no compiler was found and only the text was read back.

    Raises:
        UserError: the compiler rejects the text, or the bytes differ.
    """
    if _parsed(files["model_data.cc"]) != model:
        raise UserError("model_data.cc does not contain the model's bytes: report this defect of firmware_export")
    compiler = find_compiler()
    if compiler is None:
        return None
    if _compiled(compiler, files, symbol) != model:
        raise UserError(f"{compiler} compiles model_data.cc to other bytes than the model's: try another compiler")
    return _run([compiler, "--version"]).decode(errors="replace").splitlines()[0]


def _parsed(text: str) -> bytes:
    body = text.partition("[] = {")[2].partition("};")[0]
    return bytes(int(literal, 16) for literal in re.findall(r"0x[0-9a-f]{2}", body))


def _compiled(compiler: str, files: Mapping[str, str], symbol: str) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = {**files, "read_back.cc": render_read_back(symbol)}
        for file in ("model_data.cc", "model_data.h", "read_back.cc"):
            (folder / file).write_text(sources[file], encoding="utf-8")
        program = folder / "read_back"
        _run([compiler, *FLAGS, str(folder / "model_data.cc"), str(folder / "read_back.cc"), "-o", str(program)])
        return _run([str(program)])


def _run(command: list[str]) -> bytes:
    try:
        return subprocess.run(command, check=True, capture_output=True, timeout=300).stdout
    except (subprocess.SubprocessError, OSError) as error:
        messages = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
        reason = next((line for line in messages if "error" in line), str(error))
        name = Path(command[0]).name
        raise UserError(f"{name} failed on the generated files ({reason}): try another compiler") from error
