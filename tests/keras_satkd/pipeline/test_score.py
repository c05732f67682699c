import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from tests_support import tiny_network

from firmware_export.common.files import write_json
from firmware_export.tflite.convert import float_to_int8
from firmware_export.tflite.reader import read
from keras_satkd.camera import sensor
from keras_satkd.camera.suite import KINDS
from keras_satkd.camera.training import Mixture
from keras_satkd.config import CameraConfig, Config, FirmwareConfig
from keras_satkd.data.corruptions import CORRUPTIONS
from keras_satkd.data.splits import Split
from keras_satkd.evaluation import predictions
from keras_satkd.evaluation.classifier import int8_logits
from keras_satkd.models import students
from keras_satkd.pipeline import score
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run.artifacts import INT8_FILE, POST_TRAINING_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import TEST


def test_every_model_is_scored_on_the_test_images(tmp_path, image_set, teacher):
    split = Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")
    student = students.build("resnet8", 16, 3)
    run = Run(tmp_path / "run", Config())
    run.claim()
    model = float_to_int8(student, split.train.images)
    for name in (INT8_FILE, POST_TRAINING_FILE):
        run.path(name).write_bytes(model)
    found = run.step(TEST, lambda: score.score_models(run, Inputs(split, {}, []), student, None, [teacher("one", 1)]))
    assert list(found.scores) == ["teacher one", "float", "ptq", "int8"]
    assert found.teachers == ["one"]
    assert np.sum(found.confusion) == 12
    assert found.scores["int8"]["accuracy"] == np.trace(found.confusion) / 12
    assert found.corruptions["images"] == 12
    assert set(found.corruptions["int8"]) == {"clean", *CORRUPTIONS}
    assert set(found.cost) == {"teacher one", "float", "int8"}
    assert found.camera is None
    assert [curve["sensor"] for curve in found.risk["curves"]] == [None]
    assert found.risk["curves"][0]["risk"][0] == pytest.approx(1 - found.scores["int8"]["accuracy"])
    assert found.drift is None
    assert [curve["teacher"] for curve in found.guidance["curves"]] == ["one"]
    assert found.guidance["curves"][0]["accuracy"][0] == pytest.approx(found.scores["int8"]["accuracy"])
    assert found.guidance["curves"][0]["accuracy"][-1] == pytest.approx(found.scores["teacher one"]["accuracy"])
    kept = predictions.load(run.path(predictions.FILE))
    assert kept.models == tuple(found.scores)
    values = json.loads(run.path("metrics.json").read_text())["test"]
    parts = ["sha256", "confusion", "noise", "cost", "risk", "guidance", "seconds"]
    assert list(values) == ["teacher one", "float", "ptq", "int8", *parts]


def test_models_behind_the_sensor_of_the_run(tmp_path, image_set, monkeypatch):
    monkeypatch.setattr(score.camera.suite, "__defaults__", ({"gain": KINDS["gain"]},))
    split = Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")
    student = students.build("resnet8", 16, 3)
    poor = sensor.load("poor")
    run = Run(tmp_path / "run", Config(camera=CameraConfig(sensor="poor")))
    inputs = Inputs(split, {}, [], poor.mixture(0.5), poor)
    run.claim()
    model = float_to_int8(student, split.train.images)
    for name in (INT8_FILE, POST_TRAINING_FILE):
        run.path(name).write_bytes(model)
    result = run.step(TEST, lambda: score.score_models(run, inputs, student, None, []))
    assert Run(tmp_path / "run", run.config).results[TEST].risk == result.risk
    assert [curve["sensor"] for curve in result.risk["curves"]] == [None, "poor"]
    assert result.drift is None  # there are too few images for a window
    found = result.camera
    assert found["images"] == 12
    assert set(found["int8"]["kinds"]) == {"gain"}
    assert found["float"]["behind"]["sensor"] == "poor"
    assert Run(tmp_path / "run", run.config).results[TEST].camera == found


def test_precision_and_recall_of_the_rarer_of_two_classes(image_set):
    parts = [image_set(30, seed) for seed in range(3)]
    three = Split(*parts, "sha256")
    assert score._precision_recall(Inputs(three, {}, []), None, three) is None
    labels = [(part.labels == 2).astype(np.int32) for part in parts]
    two = [replace(part, labels=each, class_names=("A", "B")) for part, each in zip(parts, labels, strict=True)]
    model = read(float_to_int8(tiny_network(classes=2), parts[0].images))
    poor = sensor.load("poor")
    divided = Split(*two, "sha256")
    found = [
        score._precision_recall(Inputs(divided, {}, [], *camera), model, divided)
        for camera in ((), (poor.mixture(0.5), poor))
    ]
    assert (found[0]["class"], found[0]["images"], found[0]["validation_images"]) == ("B", 30, 30)
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("camera", "poor", "names"),
    [
        (None, None, [None]),
        (Mixture(), None, [None, "healthy", "poor"]),
        (Mixture(), sensor.load("poor"), [None, "poor"]),
    ],
)
def test_risk_behind_the_runs_sensor_at_the_exported_threshold(tmp_path, image_set, camera, poor, names):
    split = Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")
    run = Run(tmp_path / "run", Config())
    run.claim()
    model = float_to_int8(tiny_network(), split.train.images)
    run.path(INT8_FILE).write_bytes(model)
    export = {"given_sha256": hashlib.sha256(model).hexdigest(), "unsure": {"least_margin": 7, "error_rate": 0.02}}
    write_json(run.path("firmware", "export.json"), export)
    found = score._risk(run, Inputs(split, {}, [], camera, poor), read(model), split.test)
    assert found["threshold"] == 7
    assert [curve["sensor"] for curve in found["curves"]] == names


def test_the_drift_monitor_is_evaluated_on_what_the_sensor_gives(tmp_path, image_set, monkeypatch):
    kinds = {"dead_band": score.drift.kinds_of(3)["dead_band"]}
    monkeypatch.setattr(score.drift.evaluate, "__defaults__", (kinds,))
    monkeypatch.setattr(score.camera.suite, "__defaults__", ({"gain": KINDS["gain"]},))
    monkeypatch.setattr(score.drift, "WINDOWS", 200)
    split = Split(image_set(30, 0), image_set(300, 1), image_set(60, 2), "sha256")
    student = students.build("resnet8", 16, 3)
    config, poor = Config(firmware=FirmwareConfig(drift_window=8, false_alarm_rate=0.05)), sensor.load("poor")
    run = Run(tmp_path / "run", config)
    run.claim()
    model = float_to_int8(student, split.train.images)
    for name in (INT8_FILE, POST_TRAINING_FILE):
        run.path(name).write_bytes(model)
    inputs = Inputs(split, {}, [], poor.mixture(0.5), poor)
    found = run.step(TEST, lambda: score.score_models(run, inputs, student, None, [])).drift
    assert (found["window"], found["false_alarm_rate"]) == (8, 0.05)
    assert (found["validation_images"], found["images"]) == (300, 60)
    assert set(found["kinds"]) == {"dead_band"}
    captured = poor.capture(split.test.images)
    accuracy = np.mean(int8_logits(model, captured).argmax(axis=1) == split.test.labels)
    assert found["accuracy"] == pytest.approx(accuracy)
    assert Run(tmp_path / "run", run.config).results[TEST].drift == found
