"""Packages of the extra `train`: if one is missing, the error says how to install it."""

from collections.abc import Iterator
from contextlib import contextmanager

from firmware_export.common.errors import UserError

INSTALL_TRAIN = 'pip install "keras_satkd[train]"'
_OUR_PACKAGES = ("firmware_export", "keras_satkd")


@contextmanager
def training_packages() -> Iterator[None]:
    """Wraps imports of TensorFlow, its add-ons, and this project's modules that import them.

    Raises:
        UserError: a package is not installed.
        ModuleNotFoundError: a module of this project is missing, which is a defect.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not package or package in _OUR_PACKAGES:
            raise
        raise UserError(
            f"{package} is not installed; training, evaluation and Keras models need it: {INSTALL_TRAIN}"
        ) from error
