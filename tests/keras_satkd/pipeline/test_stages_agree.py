import dataclasses

import numpy as np
import pytest
from tests_support import by_color

from firmware_export.common.errors import UserError
from firmware_export.tflite.convert import float_to_int8
from keras_satkd.config import Config, FirmwareConfig
from keras_satkd.data.splits import Split
from keras_satkd.pipeline import stages_agree, steps
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run.artifacts import INT8_FILE
from keras_satkd.run.folder import Run


@pytest.fixture
def prepared(tmp_path, image_set):
    """A run with an int8 model, and its inputs."""
    split = Split(image_set(30, 0), image_set(90, 1), image_set(12, 2), "sha256")
    run = Run(tmp_path / "run", Config())
    run.claim()
    run.path(INT8_FILE).write_bytes(float_to_int8(by_color(), split.train.images))
    return run, Inputs(split, {}, [])


def test_stages_that_agree_pass(prepared, caplog):
    run, inputs = prepared
    with caplog.at_level("INFO", "keras_satkd"):
        stages_agree.check(run, inputs, by_color(), by_color())
    numbers = "the float student 100.0 %, the QAT student 100.0 %, the int8 model 100.0 %"
    assert f"{numbers}, TFLM 100.0 %" in caplog.text


def test_an_int8_model_of_another_order_of_classes_stops_the_export(prepared, monkeypatch):
    run, inputs = prepared
    exported = []
    monkeypatch.setattr(steps, "export_firmware", lambda *given: exported.append(given))
    network = by_color()
    network.get_layer("logits").set_weights([8 * np.eye(4, 3)[:, ::-1], np.zeros(3)])
    run.path(INT8_FILE).write_bytes(float_to_int8(network, inputs.split.train.images))
    with pytest.raises(UserError, match=r"the int8 model loses 66\.7 points .*--firmware\.largest-drop 0\.05"):
        steps._export(run, inputs, by_color(), None)
    assert not exported
    run.config = dataclasses.replace(run.config, firmware=FirmwareConfig(largest_drop=0.9))
    steps._export(run, inputs, by_color(), None)
    assert exported


def test_a_student_that_gives_one_class_stops_the_export(prepared):
    run, inputs = prepared
    network = by_color()
    network.get_layer("logits").set_weights([np.zeros((4, 3)), np.eye(3)[1]])
    with pytest.raises(UserError, match=r"the QAT student gives 100\.0 % of the validation images the class 'class1'"):
        stages_agree.check(run, inputs, by_color(), network)
