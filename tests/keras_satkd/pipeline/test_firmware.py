import json

import numpy as np
import pytest
from tests_support import by_color

from firmware_export.tflite.convert import float_to_int8
from firmware_export.tflite.interpreters import predict_int8
from firmware_export.tflite.reader import read
from firmware_export.verify import abstention
from keras_satkd.camera.sensor import Sensor
from keras_satkd.config import CameraConfig, Config, FirmwareConfig
from keras_satkd.data.splits import Split
from keras_satkd.models import students
from keras_satkd.pipeline import firmware
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run.artifacts import INT8_FILE, VALIDATION_FILE, VERIFICATION_FILE
from keras_satkd.run.folder import Run


@pytest.mark.slow
def test_the_exported_threshold_is_chosen_on_what_the_sensor_captures(tmp_path, image_set):
    split = Split(image_set(300, 0), image_set(300, 1), image_set(12, 2), "sha256")
    poor = Sensor.model_validate({"name": "noisy", "snr": 0.7, "calibration": 40})
    config = Config(camera=CameraConfig(sensor="noisy.toml"), firmware=FirmwareConfig(error_rate=0.1))
    run = Run(tmp_path / "run", config)
    run.claim()
    model = float_to_int8(by_color(), split.train.images)
    run.path(INT8_FILE).write_bytes(model)
    firmware.export_firmware(run, Inputs(split, {}, [], poor.mixture(0.5), poor), None)
    validation = split.validation
    captured = poor.capture(validation.images)
    with np.load(run.path(VALIDATION_FILE)) as arrays:
        np.testing.assert_array_equal(arrays["images"], captured)
    np.testing.assert_array_equal(np.load(run.path(VERIFICATION_FILE))[:256], validation.images[:256])

    clean, disturbed = (
        abstention.choose(predict_int8(read(model), images), validation.labels, 0.1, 0).threshold
        for images in (validation.images, captured)
    )
    assert disturbed != clean
    assert f"inline constexpr int kLeastMargin = {disturbed};" in run.path("firmware", "classifier.h").read_text()
    assert json.loads(run.path("firmware", "export.json").read_text())["unsure"]["least_margin"] == disturbed


@pytest.mark.slow
def test_the_export_is_verified_on_validation_images_first(tmp_path, image_set):
    split = Split(image_set(300, 0), image_set(30, 1), image_set(12, 2), "sha256")
    run = Run(tmp_path / "run", Config(firmware=FirmwareConfig(symbol="g_small_model_data", target="va10820")))
    run.claim()
    run.path(INT8_FILE).write_bytes(float_to_int8(students.build("resnet8", 16, 3), split.train.images))
    found = firmware.export_firmware(run, Inputs(split, {}, []), None)
    assert (found.folder, found.flash_bytes) == ("firmware", run.path(INT8_FILE).stat().st_size)
    images = np.load(run.path(VERIFICATION_FILE))
    np.testing.assert_array_equal(images[:30], split.validation.images)
    np.testing.assert_array_equal(images[30:], split.train.images[: 256 - 30])
    with np.load(run.path(VALIDATION_FILE)) as arrays:
        np.testing.assert_array_equal(arrays["labels"], split.validation.labels)
    command = (
        "python -m firmware_export student_int8.tflite --out firmware --images verification_images.npy "
        "--validation validation_images.npz --class-names class0 class1 class2 --symbol g_small_model_data "
        "--target va10820 --no-must-fit"
    )
    targets = json.loads(run.path("firmware", "export.json").read_text())["targets"]
    assert [(part["target"], part["fits"]) for part in targets if part["is_asked_for"]] == [("va10820", False)]
    assert command in run.path("firmware", "model_data.h").read_text()
