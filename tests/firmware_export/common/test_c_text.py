import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.common import c_text
from firmware_export.common.errors import UserError


@given(content=st.binary(max_size=200))
def test_hex_lines_hold_the_bytes_twelve_a_line(content):
    lines = list(c_text.hex_lines(content))
    assert bytes(int(literal, 16) for line in lines for literal in line.split(", ")) == content
    assert all(len(line.split(", ")) == 12 for line in lines[:-1])


@pytest.mark.parametrize(
    "symbol", ["", "1st", "a-b", "g model", "é", "class", "_data", "a__b", "main", "x;", "NULL", "errno"]
)
def test_bad_symbols_are_refused(symbol):
    with pytest.raises(UserError, match="symbol"):
        c_text.check_symbol(symbol)


@pytest.mark.parametrize("prefix", ["satkd", "cloud", "ship_2", "a"])
def test_good_prefixes(prefix):
    c_text.check_prefix(prefix)


@pytest.mark.parametrize("prefix", ["", "1x", "a-b", "cloud_", "_cloud", "a__b", "Cloud", "a b", "é", "a\n", "../a"])
def test_what_begins_no_identifier_is_refused(prefix):
    with pytest.raises(UserError, match="is not a valid start of C identifiers: use lower-case letters"):
        c_text.check_prefix(prefix)


def test_the_engines_own_prefix_is_refused():
    with pytest.raises(UserError, match="'satkd_engine' is that of the engine's own names: give another"):
        c_text.check_prefix("satkd_engine")


@given(st.from_regex(r"(g_)?[a-z][a-z0-9_]{0,9}(_data)?", fullmatch=True))
def test_namespace_never_collides_with_the_array(symbol):
    try:
        c_text.check_symbol(symbol)
    except UserError:
        return
    name = c_text.namespace(symbol)
    assert name != symbol
    assert re.fullmatch(r"[A-Za-z_]\w*", name)
    assert name not in c_text._RESERVED


C_HEADERS = [
    "assert", "complex", "ctype", "errno", "fenv", "float", "inttypes", "iso646", "limits", "locale", "math",
    "setjmp", "signal", "stdalign", "stdarg", "stdatomic", "stdbool", "stddef", "stdint", "stdio", "stdlib",
    "stdnoreturn", "string", "tgmath", "threads", "time", "uchar", "wchar", "wctype",
]  # fmt: skip


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs GCC")
def test_no_macro_of_the_standard_headers_is_a_symbol():
    text = "".join(f"#include <{name}.h>\n" for name in C_HEADERS)
    command = ["gcc", "-std=c11", "-dM", "-E", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    macros = set(re.findall(r"^#define ([A-Za-z]\w*)", done.stdout, re.MULTILINE))
    assert {"NULL", "errno", "INT8_MAX", "EXIT_FAILURE"} <= macros
    accepted = []
    for name in sorted(macros):
        try:
            c_text.check_symbol(name)
        except UserError:
            continue
        accepted.append(name)
    assert accepted == []


@pytest.mark.parametrize(
    "symbol", ["g_student_model_data", "model", "Weights", "MODEL", "island", "stringy", "E", "eurosat"]
)
def test_usual_names_are_symbols(symbol):
    c_text.check_symbol(symbol)
