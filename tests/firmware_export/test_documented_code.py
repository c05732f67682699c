"""The C++ and C that README and docs/ show, compiled against an exported folder as they stand."""

import json
import shutil
import subprocess

import exporting
import numpy as np
import pytest
from host_compiler import compile_program
from markdown_text import ROOT, fences, text

from firmware_export.tflm import read_back

PAGES = ("README.md", "docs/board.md", "docs/row_engine.md", "docs/engine_api.md", "docs/drift.md")
SNIPPETS = [
    pytest.param(fence, id=f"{page}-{number}")
    for page in PAGES
    for number, fence in enumerate(fences(text(ROOT / page)))
    if fence.language in ("c", "cpp")
]
# What is the application's own in them.
THEIRS = """
#include <stdint.h>
void SafeMode();
void KickWatchdog();
void Downlink(int class_index);
void Repair();
void LoadFromGround();
"""
THEIRS_IN_C = """
#include <stdint.h>
void SafeMode(void);
void ReadRowFromCamera(uint8_t *pixels);
"""
C_FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")


@pytest.fixture(scope="module")
def folder(one_convolution, tmp_path_factory):
    """A small model exported for both engines."""
    made = tmp_path_factory.mktemp("documented") / "firmware"
    images = np.random.default_rng(8).integers(0, 256, (256, 4, 4, 3), np.uint8)
    validation = (images, np.zeros(len(images), int))
    exporting.export(one_convolution, made, validation=validation, command="python -m firmware_export", engine="both")
    return made


def compile_c(text, folder, tmp_path):
    """Compile C99 with warnings as errors; the compiler's complaints if there are any."""
    (tmp_path / "snippet.c").write_text(THEIRS_IN_C + text)
    command = ["gcc", *C_FLAGS, "-I", str(folder), "-c", str(tmp_path / "snippet.c"), "-o", str(tmp_path / "snippet.o")]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def compile_cpp(text, folder, tflm, tmp_path):
    """Compile C++17 with warnings as errors; a complaint fails the test."""
    name = next((name for name in read_back.COMPILERS[:2] if shutil.which(name)), None)
    if name is None:
        pytest.skip("no C++ compiler: apt-get install g++")
    # The declarations are the application's, as in a header of its own.
    (tmp_path / "theirs.h").write_text(THEIRS)
    (tmp_path / "snippet.cc").write_text(text)
    includes = ["-I", str(folder), "-isystem", str(tflm), "-include", str(tmp_path / "theirs.h")]
    compile_program(name, [*includes, "-c", str(tmp_path / "snippet.cc")], str(tmp_path / "snippet.o"))


def test_there_are_snippets():
    assert {snippet.values[0].language for snippet in SNIPPETS} == {"c", "cpp"}
    assert len(SNIPPETS) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("fence", SNIPPETS)
def test_it_compiles(fence, folder, tflm_interface, tmp_path):
    if fence.language == "cpp":
        compile_cpp(fence.text, folder, tflm_interface, tmp_path)
    elif shutil.which("gcc") is None:
        pytest.skip("no C compiler: apt-get install gcc")
    else:
        assert compile_c(fence.text, folder, tmp_path) == ""


@pytest.mark.slow
def test_a_function_that_does_not_exist_is_seen(folder, tflm_interface, tmp_path):
    (fence,) = [snippet.values[0] for snippet in SNIPPETS if "classifier.Classify" in snippet.values[0].text]
    with pytest.raises(pytest.fail.Exception, match="ClassifyAll"):
        compile_cpp(fence.text.replace("Classify(", "ClassifyAll("), folder, tflm_interface, tmp_path)
    if shutil.which("gcc"):
        fence, *_ = [snippet.values[0] for snippet in SNIPPETS if "satkd_begin" in snippet.values[0].text]
        assert "satkd_start" in compile_c(fence.text.replace("satkd_begin", "satkd_start"), folder, tmp_path)


def test_every_key_of_export_json_is_documented(folder):
    """`docs/files.md` names what programs may read."""
    page = text(ROOT / "docs" / "files.md")
    section = page.partition("### export.json")[2].partition("### ")[0]
    found = json.loads((folder / "export.json").read_text())
    keys = {*found, *found["layers"][0], *found["kernel_parity"][0], *found["golden_vectors"], *found["rows"]}
    keys |= {*found["targets"][0], *found["unsure"], *found["drift"]}
    assert [key for key in sorted(keys) if f"`{key}`" not in section] == []
    assert [name for name in found["files"] if name.rpartition(".")[0] not in page] == []
