"""Distil vision-transformer teachers into a student that fits a satellite's microcontroller (arXiv 2411.00209)."""

import os

from firmware_export import __version__ as __version__  # also chooses legacy Keras, before TensorFlow is imported

# TensorFlow uses oneDNN by itself only where there is AVX-512 VNNI; with AVX2 alone a student trains twice as fast with
# it (`make bench`). Like Keras, it is chosen when TensorFlow is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
