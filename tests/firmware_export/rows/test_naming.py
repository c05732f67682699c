"""Prefixes of the row engine's names."""

import re

import pytest

from firmware_export.common.errors import UserError
from firmware_export.rows import engine, naming, verify
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite import interpreters, reader


@pytest.mark.parametrize("prefix", ["satkd", "cloud", "ship_2", "a"])
def test_good_prefixes(prefix):
    naming.check_prefix(prefix)


@pytest.mark.parametrize("prefix", ["", "1x", "a-b", "cloud_", "_cloud", "a__b", "Cloud", "a b", "é", "a\n", "../a"])
def test_what_begins_no_identifier_is_refused(prefix):
    with pytest.raises(UserError, match="is not a valid start of C identifiers: use lower-case letters"):
        naming.check_prefix(prefix)
    with pytest.raises(UserError, match="is not a valid start of C identifiers"):
        compile_rows(None, "make test", prefix=prefix)


def test_the_engines_own_prefix_is_refused():
    with pytest.raises(UserError, match="'satkd_engine' is that of the engine's own names: give another"):
        naming.check_prefix("satkd_engine")


def test_every_name_has_the_prefix(one_convolution):
    model = reader.read(one_convolution)
    command = "python -m firmware_export satkd_model.tflite --out satkd_SATKD_x"
    made = compile_rows(model, command, prefix="cloud")
    assert made.report.prefix == "cloud"
    assert set(made.files) - set(engine.files()) == {"cloud_model.c", "cloud_model.h"}
    plain = compile_rows(model, command)
    for name in ("cloud_model.c", "cloud_model.h"):
        head, _, body = made.files[name].partition("*/")
        assert command in head
        # The engine's names remain: its functions, types and statuses.
        of_engine = r"satkd_(engine\w*|scrubber|repair_by_majority)|SATKD_(ENGINE\w*|OK|CORRUPT|IN_PROGRESS|WRONG_SIZE)"
        assert not re.search("satkd", re.sub(of_engine, "", body), re.IGNORECASE)
        renamed = re.sub(r"\bcloud_", "satkd_", re.sub(r"\bCLOUD_", "SATKD_", body))
        assert renamed == plain.files[name.replace("cloud", "satkd")].partition("*/")[2]


def test_the_renamed_text_is_what_the_export_compiles(one_convolution, codes):
    model = reader.read(one_convolution)
    made = compile_rows(model, "make test", prefix="cloud")
    images = codes[:2, :4, :4].copy()
    assert verify.check_answers(made, images.view("uint8") ^ 0x80, interpreters.run(model, images))
