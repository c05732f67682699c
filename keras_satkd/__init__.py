"""Distil vision-transformer teachers into a student that fits a satellite's microcontroller (arXiv 2411.00209)."""

import os

import firmware_export as _chooses_legacy_keras  # noqa: F401  (before TensorFlow is imported)

# TensorFlow uses oneDNN by itself only where there is AVX-512 VNNI; with AVX2 alone a student trains twice as fast with
# it (`make bench`). Like Keras, it is chosen when TensorFlow is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"
