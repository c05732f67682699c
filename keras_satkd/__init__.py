"""Distil vision-transformer teachers into a student that fits a satellite's microcontroller (arXiv 2411.00209)."""

import firmware_export as _chooses_legacy_keras  # noqa: F401  (before TensorFlow is imported)

__version__ = "0.1.0"
