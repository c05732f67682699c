"""What only the extra `train` installs: a package of it that is missing becomes an error with the line to type."""

from collections.abc import Iterator
from contextlib import contextmanager

from firmware_export.common.errors import UserError

INSTALL_TRAIN = 'pip install "keras_satkd[train]"'
_OUR_PACKAGES = ("firmware_export", "keras_satkd")


@contextmanager
def training_packages() -> Iterator[None]:
    """Around imports of TensorFlow, of its add-ons, and of modules of ours that import them.

    Raises:
        UserError: a package is not installed. A missing module of ours is a defect, and passes as it is.
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
