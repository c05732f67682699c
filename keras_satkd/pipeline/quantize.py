"""Quantization: the student learns to live on the int8 grid, and is converted."""

import warnings
from typing import Any

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

WITHIN_RANGE = 0.9999
"""Part of an activation's values that its int8 codes tell apart; what lies beyond, half on each side, saturates."""


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
    """Set every activation's range for good: what `WITHIN_RANGE` of the float student's values on `images` lie in.

    tfmot starts each at [−6, 6] and moves it by a thousandth a step towards the batch's extremes, which a fine-tuning
    of some hundred steps never finishes: the weights would learn to live on a grid that is not the one they are shipped
    with. And extremes are outliers: the further a grid reaches for them, the coarser it is, and the more of the part's
    own rounding, which is a matter of single codes, arrives at the logits.

    Args:
        quantized: `quantize_model(student)`.
        student: in float.
        images: uint8 [N, H, W, 3].
    """
    wrapped = [layer for layer in quantized.layers if layer.name.startswith("quant_")]
    ranges = {layer.name: ends for layer in wrapped if (ends := _activation_range(layer))}
    watched = {name: student.get_layer(name.removeprefix("quant_")).output for name in ranges}
    outputs = tf_keras.Model(student.inputs, watched).predict(students.normalize(images), verbose=0)
    beyond = 100 * (1 - WITHIN_RANGE) / 2
    for name, values in outputs.items():
        lowest, highest = np.percentile(values, [beyond, 100 - beyond])
        # Zero must be a code of its own (padding, ReLU), so every range holds it.
        ranges[name][0].assign(min(0.0, lowest))
        ranges[name][1].assign(max(0.0, highest))
    for layer in map(quantized.get_layer, ranges):
        # Where tfmot keeps them; it has no public way to them once a model is wrapped.
        if layer._output_quantizers:
            layer._output_quantizers = [_FixedRange()]
        for activation in layer._quantize_activations:
            activation.quantizer = _FixedRange()


class _FixedRange(tfmot.quantization.keras.quantizers.MovingAverageQuantizer):
    """An activation's quantizer whose range no batch moves; a saved model is loaded with tfmot's own in its place."""

    def __init__(self) -> None:
        super().__init__(num_bits=8, per_axis=False, symmetric=False, narrow_range=False)

    def __call__(self, inputs: tf.Tensor, training: bool, weights: dict[str, tf.Variable], **kwargs: Any) -> tf.Tensor:
        return super().__call__(inputs, False, weights, **kwargs)


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
