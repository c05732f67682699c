"""Distil vision-transformer teachers into a student that fits a satellite's microcontroller (arXiv 2411.00209)."""

from firmware_export import __version__ as __version__  # also chooses legacy Keras and oneDNN, before TensorFlow
