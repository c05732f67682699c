"""The check before the export: float student, QAT student, int8 model and TFLM on the same validation images."""

import numpy as np
import tf_keras

from firmware_export.tflite.interpreters import predict_int8, quantize_input
from firmware_export.tflite.interpreters import run as run_tflm
from firmware_export.tflite.reader import read
from keras_satkd.camera import sensor
from keras_satkd.evaluation.metrics import predict
from keras_satkd.evaluation.stage_checks import check_not_constant, check_stages
from keras_satkd.models import students
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run.artifacts import INT8_FILE
from keras_satkd.run.folder import Run


def check(run: Run, inputs: Inputs, student: tf_keras.Model, quantized: tf_keras.Model | None) -> None:
    """Compare the accuracy of all stages of the run's student, on validation images as the run's sensor captures them.

    TFLM, which is slow, runs on the first `firmware.verification_images` of them.

    Raises:
        UserError: a stage loses more accuracy than `firmware.largest_drop`, or gives nearly all images one class.
    """
    settings, validation = run.config.firmware, inputs.split.validation.evenly("stages agree")
    images, labels = sensor.captured(inputs.camera, inputs.sensor, validation.images), validation.labels
    networks = {"the float student": student, "the QAT student": quantized}
    predicted = {
        name: predict(students.logits_of(network), images, name).argmax(axis=1)
        for name, network in networks.items()
        if network is not None
    }
    model = read(run.path(INT8_FILE).read_bytes())
    predicted["the int8 model"] = predict_int8(model, images).argmax(axis=1)
    check_not_constant(predicted, labels, validation.class_names)
    check_stages(predicted, labels, settings.largest_drop)
    count = settings.verification_images
    some: dict[str, np.ndarray] = {name: classes[:count] for name, classes in predicted.items()}
    some["TFLM"] = run_tflm(model, quantize_input(images[:count], model.graph)).argmax(axis=1)
    check_stages(some, labels[:count], settings.largest_drop)
