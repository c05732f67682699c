"""Quantization: the student learns to live on the int8 grid, and is converted."""

import warnings

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from firmware_export.convert import float_to_int8, load_keras, quantized_aware_to_int8
from firmware_export.files import write_bytes, write_with
from keras_satkd import students
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


def settle_ranges(quantized: tf_keras.Model, student: tf_keras.Model, images: np.ndarray) -> None:
    """Start every activation's range from what the float student shows on `images`.

    tfmot starts each at [−6, 6] and moves it by a thousandth a step, which a fine-tuning of some hundred steps never
    finishes: the weights would learn to live on a grid that is not the one they are shipped with.

    Args:
        quantized: `quantize_model(student)`.
        student: in float.
        images: uint8 [N, H, W, 3].
    """
    wrapped = [layer for layer in quantized.layers if layer.name.startswith("quant_")]
    ranges = {layer.name: ends for layer in wrapped if (ends := _activation_range(layer))}
    watched = {name: student.get_layer(name.removeprefix("quant_")).output for name in ranges}
    outputs = tf_keras.Model(student.inputs, watched).predict(students.normalize(images), verbose=0)
    for name, values in outputs.items():
        lowest, highest = ranges[name]
        # Zero must be a code of its own (padding, ReLU), so every range holds it.
        lowest.assign(min(0.0, values.min()))
        highest.assign(max(0.0, values.max()))


def _activation_range(layer: tf_keras.layers.Layer) -> tuple[tf.Variable, tf.Variable] | None:
    """Lower and upper end of the range that a wrapped layer's output is quantized in; None where it is not."""
    ends = {variable.name.split("/")[-1].split(":")[0]: variable for variable in layer.variables}
    for kind in ("output", "post_activation"):
        if f"{kind}_min" in ends:
            return ends[f"{kind}_min"], ends[f"{kind}_max"]
    return None


def to_int8(run: Run, split: Split, student: tf_keras.Model, quantized: tf_keras.Model | None) -> None:
    """Write the student after post-training quantization and, as the run's product, the int8 model."""

    def convert() -> dict:
        after_training = float_to_int8(student, calibration_images(run, split))
        write_bytes(run.path(POST_TRAINING_FILE), after_training)
        write_bytes(run.path(INT8_FILE), quantized_aware_to_int8(quantized) if quantized else after_training)
        return {"file": INT8_FILE, "bytes": run.path(INT8_FILE).stat().st_size}

    run.step("int8", convert)
