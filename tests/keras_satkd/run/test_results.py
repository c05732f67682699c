import pytest

from keras_satkd.run import results

SCORES = {"accuracy": 0.9, "ece": 0.1}
COST = {"parameters": 1, "macs": 2, "bytes": 4, "milliseconds": 0.5}

# As `metrics.json` of a finished run holds them.
STEPS = [
    (
        results.DataResult,
        {
            "classes": ["a", "b"],
            "train": 7,
            "validation": 1,
            "test": 2,
            "split_sha256": "0" * 64,
            "hardware": "2 x some processor",
            "seconds": 0.1,
        },
    ),
    (results.TeacherResult, {"validation": {**SCORES, "temperature": 1.5}, "seconds": 2.0}),
    (results.TeacherResult, {"validation": SCORES, "began_from": {"sha256": "0" * 64}, "seconds": 2.0}),
    (
        results.DistillationResult,
        {
            "file": "student.keras",
            "parameters": 98_522,
            "macs": 58_393_216,
            "teachers": {"one": "0" * 64},
            "calibration": {"one": 1.5},
            "began_from": {"sha256": "0" * 64},
            "seconds": 3.0,
        },
    ),
    (results.DistillationResult, {"file": "student.keras", "parameters": 1, "macs": 2, "seconds": 3.0}),
    (results.QuantizationResult, {"file": "student_qat.h5", "seconds": 1.0}),
    (results.Int8Result, {"file": "student_int8.tflite", "bytes": 116_664, "seconds": 1.0}),
    (results.FirmwareResult, {"folder": "firmware", "flash_bytes": 1, "arena_bytes": 2, "seconds": 1.0}),
    (
        results.TestResult,
        {
            "teacher one": SCORES,
            "float": SCORES,
            "ptq": SCORES,
            "int8": SCORES,
            "confusion": [[1, 0], [0, 1]],
            "noise": {"images": 2, "float": {"clean": 1.0}, "int8": {"clean": 1.0}},
            "cost": {"teacher one": COST, "float": COST, "int8": COST},
            "seconds": 1.0,
        },
    ),
    (
        results.TestResult,
        {
            "int8": SCORES,
            "confusion": [[1, 0], [0, 1]],
            "noise": {},
            "cost": {"int8": COST},
            "camera": {"images": 2},
            "risk": {"images": 2, "curves": [{"sensor": None, "area": 0.1}]},
            "seconds": 1.0,
        },
    ),
    (results.ReportResult, {"file": "report.html", "seconds": 1.0}),
    (results.StudyResult, {"images": 2, **SCORES, "per_class": {"a": {"recall": 1.0, "images": 2}}, "seconds": 1.0}),
]


@pytest.mark.parametrize(("kind", "values"), STEPS, ids=lambda each: getattr(each, "__name__", ""))
def test_read_and_written_they_are_the_same_text(kind, values):
    again = kind.from_json(values).to_json()
    assert again == values
    assert list(again) == list(values)


def test_the_teachers_among_the_models():
    values = next(values for kind, values in STEPS if kind is results.TestResult)
    assert results.TestResult.from_json(values).teachers == ["one"]
