import numpy as np
import pytest

from keras_satkd.camera import sensor
from keras_satkd.config import CameraConfig, Config, FirmwareConfig
from keras_satkd.data.splits import Split
from keras_satkd.models import students
from keras_satkd.pipeline import firmware
from keras_satkd.run.artifacts import INT8_FILE, VALIDATION_FILE, VERIFICATION_FILE
from keras_satkd.run.folder import Run


@pytest.mark.slow
def test_the_threshold_is_chosen_on_what_the_sensor_gives(tmp_path, image_set):
    from firmware_export.tflite.convert import float_to_int8

    split = Split(image_set(300, 0), image_set(30, 1), image_set(12, 2), "sha256")
    run = Run(tmp_path / "run", Config(camera=CameraConfig(sensor="poor")))
    run.claim()
    run.path(INT8_FILE).write_bytes(float_to_int8(students.build("resnet8", 16, 3), split.train.images))
    firmware.export_firmware(run, split, None)
    with np.load(run.path(VALIDATION_FILE)) as arrays:
        np.testing.assert_array_equal(arrays["images"], sensor.load("poor").capture(split.validation.images))
    np.testing.assert_array_equal(np.load(run.path(VERIFICATION_FILE))[:30], split.validation.images)


@pytest.mark.slow
def test_the_export_is_verified_on_validation_images_first(tmp_path, image_set):
    from firmware_export.tflite.convert import float_to_int8

    split = Split(image_set(300, 0), image_set(30, 1), image_set(12, 2), "sha256")
    run = Run(tmp_path / "run", Config(firmware=FirmwareConfig(symbol="g_small_model_data")))
    run.claim()
    run.path(INT8_FILE).write_bytes(float_to_int8(students.build("resnet8", 16, 3), split.train.images))
    found = firmware.export_firmware(run, split, None)
    assert (found.folder, found.flash_bytes) == ("firmware", run.path(INT8_FILE).stat().st_size)
    images = np.load(run.path(VERIFICATION_FILE))
    np.testing.assert_array_equal(images[:30], split.validation.images)
    np.testing.assert_array_equal(images[30:], split.train.images[: 256 - 30])
    with np.load(run.path(VALIDATION_FILE)) as arrays:
        np.testing.assert_array_equal(arrays["labels"], split.validation.labels)
    command = (
        "python -m firmware_export student_int8.tflite --out firmware --images verification_images.npy "
        "--validation validation_images.npz --class-names class0 class1 class2 --symbol g_small_model_data"
    )
    assert command in run.path("firmware", "model_data.h").read_text()
