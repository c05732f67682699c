"""`docs/engine_api.md` against the headers, and its program run."""

import re
import shutil
import subprocess

import exporting
import model_surgery
import pytest
from markdown_text import ROOT, fences, text

from firmware_export.bounds import header
from firmware_export.bounds.measure import not_measured

PAGE = text(ROOT / "docs" / "engine_api.md")
(PROGRAM,) = [fence.text for fence in fences(PAGE) if fence.language == "c"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("api") / "firmware"
    exporting.export(model_surgery.one_convolution(), made, engine="rows")
    return made


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler: apt-get install gcc")
def test_the_program_runs(folder, tmp_path):
    (tmp_path / "main.c").write_text(PROGRAM)
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-I", str(folder)]
    command += [str(tmp_path / "main.c"), *map(str, folder.glob("*.c")), "-o", str(tmp_path / "program")]
    subprocess.run(command, check=True)
    assert subprocess.run([tmp_path / "program"], check=False).returncode == 0


def _functions(header_text):
    """Names of the functions that a header declares."""
    code = re.sub(r"/\*.*?\*/", "", header_text, flags=re.DOTALL)
    return set(re.findall(r"^[\w ]+[ *](satkd_\w+)\(", code, re.MULTILINE))


def test_every_function_of_the_model_is_listed(folder):
    names = _functions((folder / "satkd_model.h").read_text()) | _functions((folder / "satkd_golden.h").read_text())
    assert len(names) >= 8
    assert [name for name in sorted(names) if f"| `{name}(" not in PAGE] == []


def test_every_function_of_the_engine_is_named(folder):
    declared = (folder / "satkd_engine.h").read_text().partition("/* Functions for applications. */")[2]
    names = _functions(declared) | {"satkd_engine_kernels"}
    assert [name for name in sorted(names) if f"`{name}(" not in PAGE] == []


def test_every_status_has_its_value(folder):
    statuses = re.findall(r"^  (SATKD_[A-Z_]+) = (\d+)", (folder / "satkd_engine.h").read_text(), re.MULTILINE)
    statuses = [(name, value) for name, value in statuses if not name.startswith("SATKD_ENGINE")]
    assert re.findall(r"^\| `(SATKD_\w+)` \| (\d+) \|", PAGE, re.MULTILINE) == statuses


def test_every_macro_of_the_bounds_is_listed():
    template = (ROOT / "firmware_export/templates/rows/satkd_bounds.h").read_text()
    names = re.findall(
        r"#define \{\{ macros \}\}_(\w+?)(?:_\{\{ scrub_bytes \}\}_INSTRUCTIONS)?_\{\{ core \}\}", template
    )
    assert len(names) == 8
    assert [name for name in names if f"SATKD_{name}" not in PAGE] == []
    assert header.file_name("satkd") in PAGE
    assert not_measured("x").core == "cortex-m4"
