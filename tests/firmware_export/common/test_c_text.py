import re

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


@pytest.mark.parametrize("symbol", ["", "1st", "a-b", "g model", "é", "class", "_data", "a__b", "main", "x;"])
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
