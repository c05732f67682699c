import dataclasses
import json

import numpy as np
import pytest

from firmware_export.board import fitting
from firmware_export.drift import monitor
from firmware_export.output import report
from firmware_export.verify import abstention
from firmware_export.verify.keras_parity import KerasParity


@pytest.fixture
def parts():
    return fitting.table(fitting.TflmNeeds(constants_bytes=1000, code_bytes=1000, arena_bytes=1000), rows=None)


def _make(facts, verified, parts):
    return report.make(facts, verified, compiled_with="g++", files=("a", "b"), parts=parts, rows=None)


def _as_json(made):
    return json.loads(json.dumps(made.as_dict()))


def test_it_is_json_with_the_findings(facts, verified, parts):
    said = _as_json(_make(facts, verified, parts))
    assert list(said) == [field.name for field in dataclasses.fields(report.ExportReport)]
    assert (said["sha256"], said["crc32"]) == (facts.model.sha256, f"0x{facts.model.crc32:08x}")
    assert said["flash_bytes"] == facts.model.size
    assert said["input_shape"] == list(facts.graph.inputs[0].shape)
    assert said["golden_vectors"] == {
        "count": 4,
        "bytes": len(verified.golden.content),
        "sha256": verified.golden.sha256,
        "classes": list(verified.golden.classes),
    }
    assert said["targets"] == [dataclasses.asdict(part) for part in parts]
    assert (said["keras_parity"], said["rows"], said["compiled_with"]) == (None, None, "g++")


def test_layers_are_the_operators(facts, verified, parts):
    layers = _as_json(_make(facts, verified, parts))["layers"]
    assert [layer["operator"] for layer in layers] == [operator.name for operator in facts.graph.operators]
    assert sum(layer["macs"] for layer in layers) == facts.graph.macs
    assert sum(layer["parameters"] for layer in layers) == facts.graph.parameters


def test_without_labelled_images_only_the_reason_is_said(facts, verified, parts):
    said = _as_json(_make(facts, verified, parts))["unsure"]
    assert said == {"least_margin": 0, "reason": abstention.NO_ABSTENTION.reason}


def test_with_them_the_whole_curve_is_said(facts, verified, parts):
    random = np.random.default_rng(0)
    outputs, labels = random.integers(-128, 128, (300, 10)).astype(np.int8), random.integers(0, 10, 300)
    chosen = abstention.choose(outputs, labels, 0.01, 2)
    said = _as_json(_make(facts, dataclasses.replace(verified, abstention=chosen), parts))["unsure"]
    assert list(said) == ["least_margin", "reason", "error_rate", "confidence", "images", "accuracy", "curve"]
    assert (said["least_margin"], said["error_rate"], said["images"]) == (chosen.threshold, 0.01, 300)
    assert [point["margin"] for point in said["curve"]] == chosen.curve.thresholds.tolist()
    assert [point["risk_bound"] for point in said["curve"]] == chosen.curve.risk_bound.tolist()


def test_the_monitor_is_said(facts, verified, parts, photos):
    outputs = np.random.default_rng(1).integers(-128, 128, (len(photos), 10)).astype(np.int8)
    drift = monitor.choose(photos, outputs, outputs.argmax(axis=1), 32, 0.01)
    with_monitor = dataclasses.replace(verified, drift=drift)
    said = _as_json(
        report.make(facts, with_monitor, compiled_with=None, files=("a.h", "cloud_monitor.h"), parts=parts, rows=None)
    )["drift"]
    assert list(said) == ["reason", "file", "false_alarm_rate", "window", "images", "statistics", "lower", "upper"]
    assert (said["file"], said["false_alarm_rate"], said["window"], said["images"]) == (
        "cloud_monitor.h",
        0.01,
        32,
        256,
    )
    assert said["lower"] == drift.monitor.lower.tolist()
    assert tuple(said["statistics"]) == drift.monitor.names
    assert _as_json(_make(facts, verified, parts))["drift"] == {"reason": monitor.NO_MONITOR.reason}


def test_an_accuracy_of_nothing_is_said(facts, verified, parts):
    outputs = np.array([[9, 0], [8, 0]], np.int8)
    chosen = abstention.choose(outputs, np.array([1, 1]), 0.01, 0)
    said = _as_json(_make(facts, dataclasses.replace(verified, abstention=chosen), parts))["unsure"]
    assert (said["least_margin"], said["accuracy"]) == (0, 0.0)


def test_the_comparison_with_keras_is_said(facts, verified, parts):
    parity = KerasParity(256, 2560, 7, 1, 2, 0)
    said = _as_json(_make(facts, dataclasses.replace(verified, keras_parity=parity), parts))
    assert said["keras_parity"] == dataclasses.asdict(parity)
