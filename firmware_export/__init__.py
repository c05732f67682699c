"""From an int8 `.tflite` or a Keras model to C arrays that TensorFlow Lite Micro has executed and agreed with."""

import importlib.util
import os
import sys

__version__ = "0.1.0"


def _choose_legacy_keras() -> None:
    """Make `tf.keras` legacy Keras, which tfmot and all networks of this project need, or stop.

    Raises:
        ImportError: the environment asks for Keras 3, or this process has Keras 3 as `tf.keras` already.
    """
    remedy = "import keras_satkd first, or set TF_USE_LEGACY_KERAS=1 before TensorFlow is imported"
    if os.environ.setdefault("TF_USE_LEGACY_KERAS", "1") not in ("1", "true", "True"):
        raise ImportError(f"TF_USE_LEGACY_KERAS is {os.environ['TF_USE_LEGACY_KERAS']!r}, '1' is needed: {remedy}")
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return
    # `tf.keras` reads the variable when it is first used; before that it is a lazy loader without `Model`.
    model = vars(vars(tensorflow).get("keras", tensorflow)).get("Model")
    if model is not None and not model.__module__.startswith("tf_keras."):
        raise ImportError(f"tf.keras is Keras 3 in this process already, legacy Keras is needed: {remedy}")
    # `from tensorflow.keras import layers` does not ask the loader: it searches a path that TensorFlow fixed when it
    # was imported.
    legacy = importlib.util.find_spec("tf_keras")
    if legacy is not None and legacy.submodule_search_locations:
        tensorflow.__path__.insert(0, os.path.join(legacy.submodule_search_locations[0], "api", "_v2"))


_choose_legacy_keras()

# TensorFlow uses oneDNN by itself only where there is AVX-512 VNNI; with AVX2 alone a student trains twice as fast with
# it (`make bench`). Like Keras, it is chosen when TensorFlow is imported; here, because an export by itself must find
# the very outputs of the Keras model that it found in a run.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
