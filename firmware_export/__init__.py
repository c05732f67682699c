"""Export an int8 `.tflite` or Keras model as C and C++ whose results were checked against TensorFlow Lite Micro."""

import importlib.util
import os
import sys

__version__ = "0.1.0"


def require_legacy_keras() -> None:
    """Check that the environment selects legacy Keras. An export from a `.tflite` does not need it.

    Raises:
        ImportError: the environment selects Keras 3.
    """
    chosen = os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    if chosen not in ("1", "true", "True"):
        raise ImportError(f"TF_USE_LEGACY_KERAS is {chosen!r}, '1' expected: unset TF_USE_LEGACY_KERAS or set it to 1")


def _choose_legacy_keras() -> None:
    """Make `tf.keras` legacy Keras, which tfmot and all networks of this project need, unless the environment differs.

    Raises:
        ImportError: `tf.keras` is already Keras 3 in this process.
    """
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    remedy = "import keras_satkd first, or set TF_USE_LEGACY_KERAS=1 before TensorFlow is imported"
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return
    # `tf.keras` reads the variable when it is first used; before that it is a lazy loader without `Model`.
    model = vars(vars(tensorflow).get("keras", tensorflow)).get("Model")
    if model is not None and not model.__module__.startswith("tf_keras."):
        raise ImportError(f"tf.keras is already Keras 3 in this process, legacy Keras expected: {remedy}")
    # `from tensorflow.keras import layers` bypasses the loader: it searches a path that TensorFlow set on import.
    legacy = importlib.util.find_spec("tf_keras")
    if legacy is not None and legacy.submodule_search_locations:
        tensorflow.__path__.insert(0, os.path.join(legacy.submodule_search_locations[0], "api", "_v2"))


_choose_legacy_keras()

# By default TensorFlow uses oneDNN only on CPUs with AVX-512 VNNI, but with AVX2 alone a student trains twice as fast
# with it (`make bench`). Like Keras, oneDNN must be selected before TensorFlow is imported. It is selected here because
# a separate export must compute the same outputs of the Keras model as an export within a run.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# HDF5 locks each file, and refuses to write on a file system without locks. Here it needs none: a file is written in a
# folder of its own and moved when it is complete.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
