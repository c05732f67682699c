"""Exports for the row engine, alone and beside TensorFlow Lite Micro."""

import pytest

from firmware_export import export, targets
from firmware_export.errors import UserError

COMMAND = "python -m firmware_export student.tflite --out firmware"


def test_a_part_for_the_row_engine_alone_is_told_and_taken(qat_model, qat_graph, tmp_path):
    part = targets.generic(flash_bytes=1 << 16, ram_bytes=10 << 10, core="cortex-m4")
    with pytest.raises(UserError, match=r"RAM is .* short .* take --engine rows"):
        export.export(qat_model, tmp_path / "firmware", images=None, command="test", target=part)
    report = export.export(qat_model, tmp_path / "firmware", images=None, command="test", target=part, engine="rows")
    assert report.rows["context_bytes"] < 10 << 10
    assert "The same model with `--engine rows`" in (tmp_path / "firmware" / "fitting_report.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["rows", "both"])
def test_row_engine(qat_model, qat_graph, photos, tmp_path, engine):
    report = export.export(qat_model, tmp_path, images=photos, command=COMMAND, engine=engine)
    rows = {"satkd_model.c", "satkd_model.h", "satkd_golden.c", "satkd_golden.h"}
    assert rows < set(report.files)
    assert ("classifier.cc" in report.files) == (engine == "both")
    assert report.rows["context_bytes"] < report.arena_bytes
    assert report.rows["compiled_with"]
    assert (report.compiled_with is None) == (engine == "rows")
    for name in rows:
        assert report.sha256 in (tmp_path / name).read_text()
    header = (tmp_path / "satkd_model.h").read_text()
    assert f"#define SATKD_CONTEXT_BYTES ({report.rows['context_bytes']} + SATKD_SCRATCH_BYTES)\n" in header
