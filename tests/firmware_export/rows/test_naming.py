"""Prefixes of the row engine's names."""

import re

import pytest

from firmware_export.common.errors import UserError
from firmware_export.rows import naming, verify
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


def test_every_name_has_the_prefix(one_convolution):
    model = reader.read(one_convolution)
    command = "python -m firmware_export satkd_model.tflite --out satkd_SATKD_x"
    made = compile_rows(model, command, prefix="cloud")
    assert made.report.prefix == "cloud"
    assert set(made.files) == {"cloud_model.c", "cloud_model.h"}
    plain = compile_rows(model, command)
    for name, text in made.files.items():
        head, _, body = text.partition("*/")
        assert command in head
        assert not re.search("satkd", body, re.IGNORECASE)
        assert (
            body.replace("cloud_", "satkd_").replace("CLOUD_", "SATKD_")
            == (plain.files[name.replace("cloud", "satkd")].partition("*/")[2])
        )


def test_the_renamed_text_is_what_the_export_compiles(one_convolution, codes):
    model = reader.read(one_convolution)
    made = compile_rows(model, "make test", prefix="cloud")
    images = codes[:2, :4, :4].copy()
    assert verify.check_answers(made, images.view("uint8") ^ 0x80, interpreters.run(model, images))
