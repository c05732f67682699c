"""Quantization: the student learns to live on the int8 grid, and is converted."""

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras

from firmware_export.convert import float_to_int8, quantized_aware_to_int8
from firmware_export.files import write_bytes, write_with
from keras_satkd.data import Split
from keras_satkd.knowledge import Knowledge, train
from keras_satkd.run import Run

QUANTIZED_STUDENT_FILE = "student_qat.h5"
INT8_FILE = "student_int8.tflite"
POST_TRAINING_FILE = "student_ptq.tflite"


def quantize(run: Run, split: Split, student: tf_keras.Model, knowledge: Knowledge) -> tf_keras.Model | None:
    """The student trained on under fake quantization, batch norms folded; None where no epochs are asked for."""
    if not run.config.quantization.epochs:
        return None
    run.step("quantization", lambda: _train_quantized(run, split, student, knowledge))
    with tfmot.quantization.keras.quantize_scope():
        return tf_keras.models.load_model(run.path(QUANTIZED_STUDENT_FILE), compile=False)


def _train_quantized(run: Run, split: Split, student: tf_keras.Model, knowledge: Knowledge) -> dict:
    quantized = tfmot.quantization.keras.quantize_model(student)
    train(run, split, quantized, knowledge, run.config.quantization, "quantization")
    # HDF5, because a quantized model's `.keras` file cannot be read again (stack of tfmot 0.8.1).
    write_with(run.path(QUANTIZED_STUDENT_FILE), lambda path: quantized.save(path, save_format="h5"))
    return {"file": QUANTIZED_STUDENT_FILE}


def to_int8(run: Run, split: Split, student: tf_keras.Model, quantized: tf_keras.Model | None) -> None:
    """Write the student after post-training quantization and, as the run's product, the int8 model."""

    def convert() -> dict:
        count = min(run.config.quantization.calibration_images, len(split.train))
        calibration = split.train.images[np.linspace(0, len(split.train) - 1, count).astype(int)]
        after_training = float_to_int8(student, calibration)
        write_bytes(run.path(POST_TRAINING_FILE), after_training)
        write_bytes(run.path(INT8_FILE), quantized_aware_to_int8(quantized) if quantized else after_training)
        return {"file": INT8_FILE, "bytes": run.path(INT8_FILE).stat().st_size}

    run.step("int8", convert)
