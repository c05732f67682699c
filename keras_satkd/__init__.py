"""Distill vision-transformer teachers into a student that fits a satellite's microcontroller (arXiv 2411.00209).

`Distiller`, `students`, `teachers`, `losses` and `weighting` are imported on first use: importing TensorFlow takes
seconds, and `--help` does not need it.
"""

import importlib
from typing import Any

from firmware_export import __version__ as __version__  # also selects legacy Keras and oneDNN, before TensorFlow

_PUBLIC = {
    "Distiller": "keras_satkd.distiller",
    "losses": "keras_satkd",
    "students": "keras_satkd.models",
    "teachers": "keras_satkd.models",
    "weighting": "keras_satkd",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _PUBLIC[name]
    return (
        getattr(importlib.import_module(home), name)
        if name == "Distiller"
        else importlib.import_module(f"{home}.{name}")
    )


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
