import json

import pytest

from firmware_export.common.errors import UserError
from keras_satkd.run.results import Int8Result, ReportResult, TeacherResult
from keras_satkd.run.results_file import FILE, Results
from keras_satkd.run.stages import INT8, QUANTIZATION, REPORT, Stage, teacher

VALUES = {
    "data": {"seconds": 1.0},
    "teacher one@64": {"validation": {"accuracy": 0.5}, "seconds": 2.0},
    "something of another version": {"seconds": 4.0},
    "int8": {"file": "student_int8.tflite", "bytes": 5, "seconds": 8.0},
}


@pytest.fixture
def path(tmp_path):
    (tmp_path / FILE).write_text(json.dumps(VALUES))
    return tmp_path / FILE


def test_what_is_not_known_is_kept(path):
    results = Results.read(path)
    results[REPORT] = ReportResult("report.html", seconds=16.0)
    results.write(path)
    assert json.loads(path.read_text()) == VALUES | {"report": {"file": "report.html", "seconds": 16.0}}


def test_results_are_typed(path):
    results = Results.read(path)
    assert results[INT8] == Int8Result("student_int8.tflite", 5, seconds=8.0)
    assert QUANTIZATION not in results
    assert teacher("one@64") in results
    assert results.teachers() == {"one@64": TeacherResult({"accuracy": 0.5}, seconds=2.0)}
    assert sum(results.seconds().values()) == 15.0


def test_those_before_a_stage(path):
    results = Results.read(path)
    assert [step.name for step in results.before(Stage.INT8).steps()] == ["data", "teacher one@64"]
    assert "something of another version" not in results.before(Stage.INT8).seconds()
    assert results.files(Stage.INT8) == ["student_int8.tflite"]
    assert results.files(Stage.FIRMWARE) == []


def test_no_file_and_a_damaged_one(tmp_path):
    assert not Results.read(tmp_path / FILE)
    (tmp_path / FILE).write_text("{")
    with pytest.raises(UserError, match=r"metrics\.json cannot be read"):
        Results.read(tmp_path / FILE)
