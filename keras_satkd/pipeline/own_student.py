"""Whether a student of the user's own can be quantized and exported, found out before it is trained."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import tf_keras

from firmware_export.common.errors import UserError
from firmware_export.rows.compile import compile_rows
from firmware_export.tflite.convert import float_to_int8, load_keras, quantized_aware_to_int8
from firmware_export.tflite.reader import read
from keras_satkd.training.qat_model import quantization_aware
from keras_satkd.training.qat_ranges import fix_ranges

logger = logging.getLogger(__name__)

_IMAGES = 4
"""Random images that set the activation ranges of the trial; their number does not matter."""


def check(student: tf_keras.Model, name: str, *, is_quantized_in_training: bool) -> None:
    """Quantize and convert the untrained student as its run will, and ask both engines for its operators.

    An operator that only the row engine lacks is logged as a warning.

    Args:
        student: after `students.build`.
        name: as the user gave it.
        is_quantized_in_training: whether the run has epochs of quantization-aware training.

    Raises:
        UserError: it has a layer that cannot be saved and loaded, quantized or converted, or an operator that TFLM
            lacks.
    """
    images = np.random.default_rng(0).integers(0, 256, (_IMAGES, *student.input_shape[1:]), np.uint8)
    try:
        _check_file(student)
        if is_quantized_in_training:
            quantized = quantization_aware(student)
            fix_ranges(quantized, student, images)
            content = quantized_aware_to_int8(quantized)
        else:
            content = float_to_int8(student, images)
    except UserError as error:
        raise UserError(f"student {name} cannot be exported: {error}") from error
    try:
        compile_rows(read(content, name), "")
    except UserError as error:
        logger.warning("student %s runs in TFLM, but not in the row engine: %s", name, error)


def _check_file(student: tf_keras.Model) -> None:
    """Refuse layers that a run could save but not load, such as a class of the user's own or a `Lambda`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "student.keras"
        student.save(file)
        try:
            load_keras(file)
        except UserError as error:
            raise UserError(str(error).replace(str(file), "its file")) from error
