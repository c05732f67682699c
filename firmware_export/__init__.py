"""From an int8 `.tflite` or a Keras model to C arrays that TensorFlow Lite Micro has executed and agreed with."""

import os

# tfmot and every Keras model of this project are legacy Keras. The choice counts only before `tf.keras` is touched.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
