"""Models of Keras 3 (`.keras`, `.h5`), which runs beside `tf_keras` in the same process, on TensorFlow."""

import os
from pathlib import Path
from typing import Any

from firmware_export.common.errors import UserError
from firmware_export.common.stderr import captured_stderr
from firmware_export.tflite import keras_inspection
from firmware_export.tflite.convert import stated_range
from keras_satkd.models.formats.foreign import ForeignNetwork, digest, layout, one_line

BACKEND = "KERAS_BACKEND"


def load(path: Path, what: str, *, trust: bool = False) -> ForeignNetwork:
    """Load a model that Keras 3 saved.

    Args:
        path: a `.keras` or `.h5` file.
        what: names the model in messages.
        trust: load the model even if it can run code.

    Raises:
        UserError: it could run code, is damaged, has custom layers, or is not a network with one input and one output;
            or Keras 3 runs on another library than TensorFlow in this process.
    """
    if not trust:
        keras_inspection.check_model(path, takes_keras_3=True)
    keras = _library()
    with captured_stderr():
        try:
            model = keras.models.load_model(path, compile=False, safe_mode=not trust)
        except Exception as error:
            # Keras lets through any exception of its parsers; the cause is always the file.
            raise UserError(
                f"{what} does not load as a model of Keras 3 ({one_line(error)}): save it without custom layers, or "
                "export it as a SavedModel"
            ) from error
    for kind, ends in (("input", model.inputs), ("output", model.outputs)):
        if len(ends) != 1:
            raise UserError(f"{what} has {len(ends)} {kind}s: give an image classifier, with one {kind}")
    # A Sequential model without an input layer has the batch of the first images that it saw, and takes any.
    found = layout(what, (None, *model.inputs[0].shape[1:]))
    sha256, size = digest([path])
    return ForeignNetwork(
        lambda images: model(found.arranged(images), training=False),
        found.input_shape,
        (None, *model.outputs[0].shape[1:]),
        sha256,
        size,
        model.count_params(),
        stated_range(model),
    )


def _library() -> Any:
    with captured_stderr():
        os.environ[BACKEND] = "tensorflow"
        import keras
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"Keras 3 runs on {keras.backend.backend()} in this process, and a teacher needs TensorFlow: do not import "
            f"keras before keras_satkd, or set {BACKEND}=tensorflow"
        )
    return keras
