"""From an int8 `.tflite` or a Keras model to C arrays that TensorFlow Lite Micro has executed and agreed with."""

import os
import sys
from types import ModuleType

__version__ = "0.1.0"


def _choose_legacy_keras() -> None:
    """tfmot and every Keras model of this project are legacy Keras; `tf.keras` is decided when it is first touched."""
    remedy = "import keras_satkd first, or set TF_USE_LEGACY_KERAS=1 before TensorFlow is imported"
    if os.environ.setdefault("TF_USE_LEGACY_KERAS", "1") not in ("1", "true", "True"):
        raise ImportError(f"TF_USE_LEGACY_KERAS is {os.environ['TF_USE_LEGACY_KERAS']!r}, '1' is needed: {remedy}")
    # Until it is touched `tf.keras` is a lazy loader, which would choose if it were asked for its name.
    chosen = vars(sys.modules.get("tensorflow", sys)).get("keras")
    if type(chosen) is ModuleType and chosen.__name__.startswith("keras."):
        raise ImportError(f"tf.keras is Keras 3 in this process already, legacy Keras is needed: {remedy}")


_choose_legacy_keras()

# TensorFlow uses oneDNN by itself only where there is AVX-512 VNNI; with AVX2 alone a student trains twice as fast with
# it (`make bench`). Like Keras, it is chosen when TensorFlow is imported; here, because an export by itself must find
# the very outputs of the Keras model that it found in a run.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
