import json

import numpy as np
import pytest

from firmware_export.tflite.convert import float_to_int8
from keras_satkd.camera import sensor
from keras_satkd.camera.suite import KINDS
from keras_satkd.config import CameraConfig, Config, FirmwareConfig
from keras_satkd.data.corruptions import CORRUPTIONS
from keras_satkd.data.splits import Split
from keras_satkd.evaluation import predictions
from keras_satkd.evaluation.classifier import int8_logits
from keras_satkd.models import students
from keras_satkd.pipeline import score
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
    found = run.step(TEST, lambda: score.score_models(run, split, student, None, [teacher("one", 1)]))
    assert list(found.scores) == ["teacher one", "float", "ptq", "int8"]
    assert found.teachers == ["one"]
    assert np.sum(found.confusion) == 12
    assert found.scores["int8"]["accuracy"] == np.trace(found.confusion) / 12
    assert found.corruptions["images"] == 12
    assert set(found.corruptions["int8"]) == {"clean", *CORRUPTIONS}
    assert set(found.cost) == {"teacher one", "float", "int8"}
    assert found.camera is None
    assert found.drift is None
    kept = predictions.load(run.path(predictions.FILE))
    assert kept.models == tuple(found.scores)
    values = json.loads(run.path("metrics.json").read_text())["test"]
    assert list(values) == ["teacher one", "float", "ptq", "int8", "confusion", "noise", "cost", "seconds"]


def test_models_behind_the_sensor_of_the_run(tmp_path, image_set, monkeypatch):
    monkeypatch.setattr(score.camera.suite, "__defaults__", ({"gain": KINDS["gain"]},))
    split = Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")
    student = students.build("resnet8", 16, 3)
    run = Run(tmp_path / "run", Config(camera=CameraConfig(sensor="poor")))
    run.claim()
    model = float_to_int8(student, split.train.images)
    for name in (INT8_FILE, POST_TRAINING_FILE):
        run.path(name).write_bytes(model)
    result = run.step(TEST, lambda: score.score_models(run, split, student, None, []))
    found = result.camera
    assert result.drift is None  # there are too few images for a window
    assert found["images"] == 12
    assert set(found["int8"]["kinds"]) == {"gain"}
    assert found["float"]["behind"]["sensor"] == "poor"
    assert Run(tmp_path / "run", run.config).results[TEST].camera == found


def test_the_drift_monitor_is_evaluated_on_what_the_sensor_gives(tmp_path, image_set, monkeypatch):
    kinds = {"dead_band": score.drift.ALL_KINDS["dead_band"]}
    monkeypatch.setattr(score.drift.evaluate, "__defaults__", (kinds,))
    monkeypatch.setattr(score.camera.suite, "__defaults__", ({"gain": KINDS["gain"]},))
    monkeypatch.setattr(score.drift, "WINDOWS", 200)
    split = Split(image_set(30, 0), image_set(300, 1), image_set(60, 2), "sha256")
    student = students.build("resnet8", 16, 3)
    config = Config(camera=CameraConfig(sensor="poor"), firmware=FirmwareConfig(drift_window=8, false_alarm_rate=0.05))
    run = Run(tmp_path / "run", config)
    run.claim()
    model = float_to_int8(student, split.train.images)
    for name in (INT8_FILE, POST_TRAINING_FILE):
        run.path(name).write_bytes(model)
    found = run.step(TEST, lambda: score.score_models(run, split, student, None, [])).drift
    assert (found["window"], found["false_alarm_rate"]) == (8, 0.05)
    assert (found["validation_images"], found["images"]) == (300, 60)
    assert set(found["kinds"]) == {"dead_band"}
    captured = sensor.load("poor").capture(split.test.images)
    accuracy = np.mean(int8_logits(model, captured).argmax(axis=1) == split.test.labels)
    assert found["accuracy"] == pytest.approx(accuracy)
    assert Run(tmp_path / "run", run.config).results[TEST].drift == found
