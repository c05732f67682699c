"""Quantization-aware training of the student, and its conversion to int8."""

import warnings

import numpy as np
import tf_keras

from firmware_export.common.files import write_bytes, write_with
from firmware_export.tflite.convert import float_to_int8, load_keras, quantized_aware_to_int8
from keras_satkd.camera.training import view_seeds
from keras_satkd.pipeline import methods, rounds
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run.artifacts import INT8_FILE, POST_TRAINING_FILE, QUANTIZED_STUDENT_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.results import Int8Result, QuantizationResult
from keras_satkd.run.stages import INT8, QUANTIZATION
from keras_satkd.training.place import Place
from keras_satkd.training.qat_model import quantization_aware
from keras_satkd.training.qat_ranges import fix_ranges
from keras_satkd.training.teacher_logits import TeacherTargets
from keras_satkd.training.train import train


def quantize(run: Run, inputs: Inputs, student: tf_keras.Model, targets: TeacherTargets) -> tf_keras.Model | None:
    """The student after quantization-aware training, with folded batch norms; None if `quantization.epochs` is 0."""
    if not run.config.quantization.epochs:
        return None
    run.step(QUANTIZATION, lambda: _train_quantized(run, inputs, student, targets))
    return load_keras(run.path(QUANTIZED_STUDENT_FILE))


def _train_quantized(run: Run, inputs: Inputs, student: tf_keras.Model, targets: TeacherTargets) -> QuantizationResult:
    loss, targets = rounds.taught(run, inputs.split, targets, run.config.distillation.rounds)
    # Without it, the order of the images would depend on what this process computed before.
    tf_keras.utils.set_random_seed(run.config.seed)

    def build() -> tf_keras.Model:
        quantized = quantization_aware(student)
        fix_ranges(quantized, student, calibration_images(run, inputs))
        return quantized

    place = Place.of(run)
    quantized = place.parallel.trained(
        build,
        lambda network: train(
            network,
            inputs.split,
            targets,
            run.config.quantization,
            place,
            loss=loss,
            seed=run.config.seed,
            phase="quantization",
            sensor_noise=loss.sensor_noise,
            class_weights=loss.class_weights,
            method=methods.of_quantization(loss),
        ),
    )
    if not run.is_chief:
        return QuantizationResult(QUANTIZED_STUDENT_FILE)
    with warnings.catch_warnings():
        # Keras warns that HDF5 is outdated, but it cannot load a `.keras` file of a model that tfmot 0.8 quantized.
        warnings.filterwarnings("ignore", "You are saving your model as an HDF5 file")
        write_with(run.path(QUANTIZED_STUDENT_FILE), lambda path: quantized.save(path, save_format="h5"))
    return QuantizationResult(QUANTIZED_STUDENT_FILE)


def calibration_images(run: Run, inputs: Inputs) -> np.ndarray:
    """Training images that set the activation ranges, uint8 [N, H, W, C], disturbed by the run's camera.

    The split is in random order already.
    """
    images = inputs.split.train.images[: run.config.quantization.calibration_images]
    return images if inputs.camera is None else inputs.camera(images, view_seeds(len(images), 0, run.config.data.seed))


def to_int8(run: Run, inputs: Inputs, student: tf_keras.Model, quantized: tf_keras.Model | None) -> None:
    """Write the student after post-training quantization, and the int8 model for the export."""

    def convert() -> Int8Result:
        after_training = float_to_int8(student, calibration_images(run, inputs))
        write_bytes(run.path(POST_TRAINING_FILE), after_training)
        write_bytes(run.path(INT8_FILE), quantized_aware_to_int8(quantized) if quantized else after_training)
        return Int8Result(INT8_FILE, run.path(INT8_FILE).stat().st_size)

    run.step(INT8, convert)
