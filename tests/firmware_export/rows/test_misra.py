"""The engine and a model under cppcheck, with its MISRA C:2012 addon."""

import re
import shutil
import subprocess

import pytest
import row_models

from firmware_export.rows.compile import compile_rows

DEVIATIONS = {
    ("2.3", "arithmetic"): "types that only state compile-time checks",
    ("2.3", "kernels"): "as above",
    ("2.3", "model"): "as above",
    ("2.4", "engine"): "enumerations of numbers that are stored in fixed-width integers",
    ("2.5", "dsp"): "cppcheck reads the macros of every configuration, and sees none used in assembly",
    ("2.5", "engine"): "version and digest, for applications",
    ("2.5", "kernels"): "as of dsp",
    ("2.5", "model"): "sizes, for applications",
    ("2.5", "mve"): "as of dsp",
    ("8.7", "repair"): "functions for applications",
    (
        "10.1",
        "arithmetic",
    ): "right shifts of signed numbers; a compile-time check that they keep the sign is beside them",
    ("10.3", "arithmetic"): "INT32_MIN and INT32_MAX have the type int, of which a compile-time check says 32 bits",
    ("10.4", "model"): "offsetof and sizeof with unsigned constants; cppcheck does not know their type",
    ("10.8", "arithmetic"): "sums modulo 2^32 become signed again; a compile-time check that this wraps is beside them",
    ("10.8", "kernels"): "as above: softmax's sum, shifted up to its highest bit",
    ("10.8", "sums"): "as above: a number of taps, rounded down to a multiple of 4",
    (
        "11.5",
        "engine",
    ): "a context and a model are bytes with words at offsets that checks cover and that are multiples of 4",
    ("11.5", "checks"): "as above",
    ("11.5", "elementwise"): "as above",
    ("11.5", "kernels"): "as above",
    ("11.5", "layers"): "as above",
    ("11.5", "repair"): "as above",
    ("11.5", "structure"): "as above",
    ("15.5", "engine"): "arguments are refused at the start of a function",
    ("15.5", "repair"): "as above",
    ("20.7", "dsp"): "a macro's argument is text of assembly",
    ("20.7", "mve"): "as above",
    ("20.10", "dsp"): "# is part of assembly, no operator",
    ("20.10", "mve"): "as above",
}
"""By rule and file, with the reason. Advisory: 2.3, 2.4, 2.5, 8.7, 11.5, 15.5, 20.10."""

pytestmark = pytest.mark.skipif(shutil.which("cppcheck") is None, reason="no cppcheck: apt-get install cppcheck")


def _found(folder, files, *options):
    """Findings as (rule or name, file) in the short form of `DEVIATIONS`."""
    for name, text in files.items():
        (folder / name).write_text(text)
    sources = [name for name in files if name.endswith(".c")]
    template = "--template={file}|{id}|{message}"
    done = subprocess.run(
        ["cppcheck", "--std=c99", "-q", template, *options, *sources],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split("|") for line in done.stderr.splitlines() if line.count("|") == 2]
    return [(rule.removeprefix("misra-c2012-"), _short(file), message) for file, rule, message in lines]


def _short(file):
    return re.sub(r"^satkd_(engine_)?|(?<=dsp|mve)_\w+|\.[ch]$", "", file)


@pytest.fixture(scope="module")
def files():
    return compile_rows(row_models.every_layer(), "make test").files


def test_every_deviation_from_misra_has_a_reason(files, tmp_path):
    found = _found(tmp_path, files, "--addon=misra")
    assert {(rule, file) for rule, file, _ in found if rule[0].isdigit()} == set(DEVIATIONS)


def test_a_new_deviation_is_seen(files, tmp_path):
    text = files["satkd_engine_layers.c"]
    old = "  if (layer->kind == (uint32_t)SATKD_ENGINE_MAX_POOL) {"
    assert old in text
    changed = files | {"satkd_engine_layers.c": text.replace(old, f"  goto end;\nend:\n{old}")}
    assert ("15.1", "layers") in {(rule, file) for rule, file, _ in _found(tmp_path, changed, "--addon=misra")}


def test_cppcheck_has_no_warnings(files, tmp_path):
    assert _found(tmp_path, files, "--enable=warning,performance,portability") == []
