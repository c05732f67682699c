"""Convert Keras models to int8 `.tflite` for microcontrollers: batch 1, int8 input and output, one code for each pixel.

Models are legacy Keras (`tf_keras`) and take float32 [batch, …], by default in [0, 1] (pixels divided by 255). They may
be float or quantization-aware (`tfmot.quantization.keras.quantize_model`).
"""

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.extras import training_packages
from firmware_export.common.stderr import captured_stderr
from firmware_export.common.steps import step
from firmware_export.tflite import keras_inspection, reader
from firmware_export.tflite.graph import Graph
from firmware_export.tflite.input_range import DEFAULT, normalized


@step("loading the Keras model")
def load_keras(path: Path, *, trust: bool = False) -> Any:
    """Read a legacy Keras model, quantization-aware or not, uncompiled.

    Args:
        path: a `.keras`, `.h5` or `.hdf5` file. A quantization-aware model must be `.h5`, because its `.keras` file
            cannot be loaded (tfmot 0.8.1).
        trust: load the model even if it can run code (`keras_inspection`).

    Raises:
        UserError: the file is missing, damaged, from Keras 3, has custom layers or a name that TensorFlow does not
            take, or could run code; or the extra `train` is not installed.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} is not a file: give a .tflite, .keras or .h5 model")
    if not trust:
        keras_inspection.check_model(path)
    with training_packages():
        tf_keras, tfmot = _libraries()
    with _quiet():
        try:
            with tfmot.quantization.keras.quantize_scope():
                model = tf_keras.models.load_model(path, compile=False, safe_mode=not trust)
        except Exception as error:
            # Keras lets through any exception of its parsers; the cause is always the file.
            raise UserError(f"{path} does not load as a legacy Keras model ({_one_line(error)}): {_REMEDY}") from error
    check_name(model, str(path))
    return model


_REMEDY = "save it with tf_keras, without custom layers, and as .h5 if it is quantization-aware"


def is_quantization_aware(model: Any) -> bool:
    """Whether tfmot's `quantize_model` made this model."""
    return any(type(layer).__name__.startswith("QuantizeWrapper") for layer in model.layers)


_SCOPE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
"""Names of which TensorFlow makes scopes (tensorflow/python/framework/ops.py)."""


def check_name(model: Any, what: str) -> None:
    """Refuse a Keras model that TensorFlow cannot trace because of its name; layers have no such names.

    Args:
        model: Keras allows any name.
        what: the model, for the message.

    Raises:
        UserError: its name does not start with a letter or digit, or has other characters than TensorFlow takes.
    """
    if not _SCOPE.fullmatch(model.name):
        raise UserError(
            f"{what}: the model's name is {model.name!r}, where TensorFlow takes letters, digits, _, . and -: build it "
            "with another name"
        )


def check_input(model: Any) -> None:
    """Refuse a Keras model that does not have exactly one input of fixed size.

    Raises:
        UserError: the model has several inputs, or a variable height or width.
    """
    shape = model.input_shape
    if not isinstance(shape, tuple) or None in shape[1:]:
        raise UserError(f"Keras model {model.name!r} has input shape {shape}: give it one input of fixed size")


_RESCALING = "Rescaling"
_LARGEST_RESCALED = 8
"""What a rescaling layer makes of a pixel of 255 is at most this; of 1.0 as input, a rescaling of [0, 1] makes more
than a hundredth of it."""


def stated_range(model: Any) -> str | None:
    """The input range that a Keras model states by a Rescaling or Normalization layer at its start, if it has one.

    Returns:
        "0..255" for a layer that divides pixels, or whose means are those of pixels; "0..1" for one that takes [0, 1];
        "-1..1" for a Normalization of which a mean is negative; None without such a layer.
    """
    layer = _first_layer(model)
    kind = type(layer).__name__
    if kind == _RESCALING:
        return "0..255" if 255 * float(np.max(np.abs(layer.scale))) <= _LARGEST_RESCALED else "0..1"
    if kind == "Normalization":
        means = np.asarray(layer.mean)
        return "0..255" if means.max() > 1 else "-1..1" if means.min() < 0 else "0..1"
    return None


def _first_layer(model: Any) -> Any:
    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    if not layers:
        return None
    return _first_layer(layers[0]) if hasattr(layers[0], "layers") else layers[0]


@step("converting the Keras model")
def quantized_aware_to_int8(model: Any, input_range: str = DEFAULT) -> bytes:
    """Convert a quantization-aware model; its trained ranges become the int8 scales.

    Args:
        model: a trained result of tfmot's `quantize_model`; float32 [batch, …] to raw logits.
        input_range: the values that it expects, one of `input_range.INPUT_RANGES`.

    Returns:
        The `.tflite`: full int8, batch 1, input code `pixel ^ 0x80`, only operators that TFLM has.

    Raises:
        UserError: the model is not quantization-aware, or the result does not have these properties.
    """
    if not is_quantization_aware(model):
        raise UserError(f"Keras model {model.name!r} is not quantization-aware: give calibration images to quantize it")
    return _convert(model, None, input_range)


@step("converting the Keras model")
def float_to_int8(model: Any, calibration_images: np.ndarray, input_range: str = DEFAULT) -> bytes:
    """Quantize a float model after training (PTQ).

    Args:
        model: a float Keras model, float32 [batch, …] to raw logits.
        calibration_images: uint8 [N, …input shape without the batch]; a few hundred, similar to those in use.
        input_range: the values that the model expects, one of `input_range.INPUT_RANGES`.

    Returns:
        The `.tflite`, with the properties stated in `quantized_aware_to_int8`.

    Raises:
        UserError: the images have another type or shape, or the result does not have these properties.
    """
    expected = tuple(model.input_shape[1:])
    images = np.asarray(calibration_images)
    if images.dtype != np.uint8 or images.shape[1:] != expected or not len(images):
        raise UserError(
            f"calibration images are {images.dtype} {list(images.shape)}, uint8 [N, {', '.join(map(str, expected))}] "
            "with N > 0 expected: give pixels from 0 to 255 in the model's input size"
        )
    return _convert(model, _spanning(images), input_range)


def _spanning(images: np.ndarray) -> np.ndarray:
    """The images, plus a copy of the first with one pixel 0 and one 255.

    The calibrator derives the input's range from the images; the added pixels make it exactly that of all pixels. An
    all-black and an all-white image would have the same effect, but would widen the ranges of all later layers
    unrealistically.
    """
    extreme = images[:1].copy()
    extreme.flat[0], extreme.flat[-1] = 0, 255
    return np.concatenate([images, extreme])


def _convert(model: Any, calibration_images: np.ndarray | None, input_range: str) -> bytes:
    import tensorflow as tf

    check_input(model)
    with _quiet():
        # A variable batch would add SHAPE, STRIDED_SLICE and PACK to the graph.
        signature = [tf.TensorSpec([1, *model.input_shape[1:]], tf.float32, name="image")]
        function = tf.function(lambda image: model(image, training=False), input_signature=signature)
        concrete = function.get_concrete_function()
        # The converter saves what it is given beside the function; of a model, also the functions of all its layers.
        weights = tf.Module()
        weights.used = list(concrete.graph.variables)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], weights)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        if calibration_images is not None:
            # TFLITE_BUILTINS_INT8 without calibration images is an error, even if all ranges are known.
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: (
                [normalized(image[np.newaxis], input_range)] for image in calibration_images
            )
            # TFLM supports per-channel FULLY_CONNECTED since September 2024 (tflite-micro #2673). It refused it from
            # May 2024 (#2602), and computed wrong results before; firmware may contain such an old version.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        try:
            content: bytes = converter.convert()
        except Exception as error:
            raise UserError(
                f"Keras model {model.name!r} does not convert to int8 ({_one_line(error)}): use layers that TFLite has"
            ) from error
    _check(content, f"Keras model {model.name!r}, converted to int8,", input_range)
    return content


def _check(content: bytes, name: str, input_range: str) -> None:
    graph = reader.read(content, name).with_range(input_range).graph
    reader.check_deployable(graph)
    check_unit_input(graph)


def check_unit_input(graph: Graph) -> None:
    """Refuse any input whose code is not `pixel ^ 0x80`: for the range 0..1, scale 1/255 and zero point −128.

    Raises:
        UserError: the input differs, so that firmware would have to quantize each pixel in floating point.
    """
    if not graph.has_unit_input:
        tensor = graph.inputs[0]
        raise UserError(
            f"{graph.name} has input scale {tensor.scale:.9g} and zero point {tensor.zero_point}, 1/255 and -128 "
            "expected: train and calibrate with pixels divided by 255, or state the input range (0..255, -1..1) that "
            "makes a code of each pixel"
        )


def _libraries() -> tuple[Any, Any]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _quiet():
        import tensorflow_model_optimization as tfmot
        import tf_keras
    return tf_keras, tfmot


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow")]
    levels = [logger.level for logger in loggers]
    with captured_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
