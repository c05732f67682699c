"""The row engine's part of an export."""

import dataclasses

import pytest

from firmware_export.common.errors import UserError
from firmware_export.rows import engine, export, verify
from firmware_export.rows.compile import compile_rows


def test_files_are_compared_and_reported(facts, verified):
    rows = compile_rows(facts.model, facts.command)
    texts, report = export.files(rows, facts, verified)
    assert set(texts) == {f"satkd_{name}" for name in (*engine.MODEL_FILES, *engine.GOLDEN_FILES)} | set(engine.files())
    assert report.compiled_with
    assert dataclasses.asdict(report) == {**dataclasses.asdict(rows.report), "compiled_with": report.compiled_with}


def test_pixels_go_in_as_the_camera_gives_them(monkeypatch, facts, verified):
    given = []
    monkeypatch.setattr(verify, "check_answers", lambda rows, inputs, outputs: given.append(inputs))
    texts, report = export.files(compile_rows(facts.model, facts.command), facts, verified)
    assert report.compiled_with is None
    assert (given[0] == (verified.codes.astype(int) + 128)).all()
    assert "uint8_t" in texts["satkd_golden.h"]


def test_a_wrong_answer_is_one_line(facts, verified):
    wrong = dataclasses.replace(verified, outputs=verified.outputs ^ 1)
    with pytest.raises(UserError, match=r"the row engine differs from TensorFlow Lite Micro.*, first in .*engine tflm"):
        export.files(compile_rows(facts.model, facts.command), facts, wrong)
