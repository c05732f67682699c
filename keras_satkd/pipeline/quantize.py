"""Quantization: the student learns to live on the int8 grid, and is converted."""

import warnings

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras

from firmware_export.common.files import write_bytes, write_with
from firmware_export.tflite.convert import float_to_int8, load_keras, quantized_aware_to_int8
from keras_satkd.data.splits import Split
from keras_satkd.run.artifacts import INT8_FILE, POST_TRAINING_FILE, QUANTIZED_STUDENT_FILE
from keras_satkd.run.folder import Run
from keras_satkd.training.qat_ranges import settle_ranges
from keras_satkd.training.teacher_logits import Knowledge
from keras_satkd.training.train import train


def quantize(run: Run, split: Split, student: tf_keras.Model, knowledge: Knowledge) -> tf_keras.Model | None:
    """The student trained on under fake quantization, batch norms folded; None where no epochs are asked for."""
    if not run.config.quantization.epochs:
        return None
    run.step("quantization", lambda: _train_quantized(run, split, student, knowledge))
    return load_keras(run.path(QUANTIZED_STUDENT_FILE))


def _train_quantized(run: Run, split: Split, student: tf_keras.Model, knowledge: Knowledge) -> dict:
    quantized = tfmot.quantization.keras.quantize_model(student)
    settle_ranges(quantized, student, calibration_images(run, split))
    noise = run.config.distillation.sensor_noise
    train(run, split, quantized, knowledge, run.config.quantization, "quantization", sensor_noise=noise)
    with warnings.catch_warnings():
        # Keras calls HDF5 outdated, but a `.keras` file of a model that tfmot 0.8 quantized cannot be read again.
        warnings.filterwarnings("ignore", "You are saving your model as an HDF5 file")
        write_with(run.path(QUANTIZED_STUDENT_FILE), lambda path: quantized.save(path, save_format="h5"))
    return {"file": QUANTIZED_STUDENT_FILE}


def calibration_images(run: Run, split: Split) -> np.ndarray:
    """Training images that ranges are read from, uint8 [N, H, W, 3]; the split's order is already a random one."""
    return split.train.images[: run.config.quantization.calibration_images]


def to_int8(run: Run, split: Split, student: tf_keras.Model, quantized: tf_keras.Model | None) -> None:
    """Write the student after post-training quantization and, as the run's product, the int8 model."""

    def convert() -> dict:
        after_training = float_to_int8(student, calibration_images(run, split))
        write_bytes(run.path(POST_TRAINING_FILE), after_training)
        write_bytes(run.path(INT8_FILE), quantized_aware_to_int8(quantized) if quantized else after_training)
        return {"file": INT8_FILE, "bytes": run.path(INT8_FILE).stat().st_size}

    run.step("int8", convert)
