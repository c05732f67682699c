import dataclasses
import json

import exporting
import pytest
import row_models

from firmware_export.board import targets
from firmware_export.common.engine import Engine
from firmware_export.common.errors import UserError
from firmware_export.output import fitting_report, folder
from firmware_export.output.render import Settings, check, render
from firmware_export.tflm import read_back
from firmware_export.verify.keras_parity import KerasParity
from firmware_export.verify.verify import Stage

COMMAND = "python -m firmware_export student.tflite --out firmware"


def _render(verified, **settings):
    return render(verified, Settings(command=COMMAND, **settings), lambda *step: None)


@pytest.mark.parametrize("engine", Engine)
def test_files_are_those_of_the_engine(verified, engine):
    rendered = _render(verified, engine=engine)
    names = set(rendered.contents)
    assert names == set(rendered.report.files)
    assert {"model.tflite", folder.REPORT_FILE, fitting_report.FILE} < names
    assert ("model_data.cc" in names) == engine.has_tflm
    assert ("satkd_model.c" in names) == engine.has_rows
    assert rendered.contents["model.tflite"] == verified.model.content
    assert rendered.contents[folder.REPORT_FILE] == folder.sealed(rendered.report.as_dict())
    assert (rendered.report.rows is None) == (not engine.has_rows)


def test_tells_of_the_compiler(verified):
    told = []
    render(verified, Settings(command=COMMAND), lambda *step: told.append(step))
    assert told == [(Stage.COMPILE, 0, 1), (Stage.COMPILE, 1, 1)]


def test_text_that_does_not_hold_the_model_is_refused(monkeypatch, verified):
    monkeypatch.setattr(read_back, "_parsed", lambda text: b"")
    with pytest.raises(UserError, match="does not contain the model's bytes"):
        _render(verified)


def test_what_keras_said_is_in_the_header(verified):
    parity = KerasParity(16, 160, 7, 1, 2, 0)
    header = _render(dataclasses.replace(verified, keras_parity=parity)).contents["model_data.h"]
    text = " ".join(header.replace("//", "").split())
    assert "agrees within 2 output steps (7 of 160 outputs differ, 1 by more than one step)" in text


def test_a_part_is_judged_by_the_engine(verified):
    part = targets.generic(flash_bytes=1 << 16, ram_bytes=10 << 10, core="cortex-m4")
    for engine in (Engine.TFLM, Engine.BOTH):
        with pytest.raises(UserError, match=r"RAM is .* short .* use --engine rows"):
            _render(verified, target=part, engine=engine)
    marked = [row for row in _render(verified, target=part, must_fit=False).report.targets if row.is_asked_for]
    assert [(row.target, row.fits, row.rows.fits) for row in marked] == [("generic", False, True)]
    assert _render(verified, target=part, engine=Engine.ROWS).report.rows.context_bytes < 10 << 10


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"symbol": "1x"}, "not a C identifier"),
        ({"class_names": ("a", "b")}, "2 class names for 10 outputs"),
        ({"formats": ("zephir",)}, "unknown format 'zephir': did you mean 'zephyr'"),
        ({"engine_prefix": "Cloud"}, "is not a valid start of C identifiers"),
    ],
)
def test_settings_that_do_not_fit_are_refused(qat_model, settings, words):
    with pytest.raises(UserError, match=words):
        check(Settings(command=COMMAND, **settings), qat_model)


def test_a_model_that_the_row_engine_lacks_is_refused_where_it_is_asked_for():
    def build(builder, given):
        return builder.operator("CEIL", [given.index], given)

    model = row_models.model(build, (1, 6))
    check(Settings(command=COMMAND), model)
    for engine in (Engine.ROWS, Engine.BOTH):
        with pytest.raises(UserError, match=r"CEIL.* is not an operator of the row engine"):
            check(Settings(command=COMMAND, engine=engine), model)


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_detector_has_no_classifier(outputs, tmp_path):
    model = row_models.model(lambda builder, given: builder.dense(builder.mean(given), outputs, "NONE"), (1, 6, 5, 3))
    formats = ("arduino", "platformio")
    report = exporting.export(model, tmp_path / "out", formats=formats)
    names = {name for name in report.files if "classifier" in name}
    header = "student_model_classifier.h" if outputs > 1 else "model_data.h"
    assert names == ({"classifier.cc", "classifier.h", header} if outputs > 1 else set())
    assert f"includes={header}\n" in (tmp_path / "out" / "library.properties").read_text()
    assert json.loads((tmp_path / "out" / "library.json").read_text())["headers"] == header
    assert ("The model is no classifier" in report.unsure.reason) is (outputs == 1)
