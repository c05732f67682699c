"""Limits on the memory that one input may take, so that a small file cannot fill the machine's memory.

Each limit is in MiB (2**20 bytes). An environment variable raises or lowers it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from firmware_export.common.errors import UserError

IMAGE = "SATKD_MAX_IMAGE_MIB"
"""Of an image: its file, and its decoded pixels at full size. All threads together decode twice as much at a time."""

ARRAY = "SATKD_MAX_ARRAY_MIB"
"""Of an array in a `.npz` file."""

TENSOR = "SATKD_MAX_TENSOR_MIB"
"""Of a tensor of a `.tflite` model."""

HELD = "SATKD_MAX_HELD_MIB"
"""Of the images of a set, or of all teacher logits for one, that training holds in memory. Larger ones stay on disk."""

DEFAULTS = {IMAGE: 512, ARRAY: 8192, TENSOR: 512, HELD: 2048}


def limit(name: str) -> int:
    """The limit in bytes.

    Raises:
        UserError: the environment variable is no positive whole number.
    """
    text = os.environ.get(name, "")
    if not text:
        return DEFAULTS[name] << 20
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**40):
        raise UserError(f"{name} is {text!r}: give a positive number of MiB, such as {DEFAULTS[name]}")
    return int(text) << 20


def is_default(name: str) -> bool:
    """Whether a limit has its default value."""
    return limit(name) == DEFAULTS[name] << 20


def check(name: str, needed: int, what: str) -> None:
    """Refuse an input that needs more bytes than a limit.

    Raises:
        ValueError: `what` needs more; the message names the limit and how to raise it.
    """
    if needed > limit(name):
        raise ValueError(
            f"{what} takes {-(-needed >> 20):,} MiB, more than {limit(name) >> 20:,}: set {name} to that number if it "
            "is right"
        )


class Budget:
    """Memory that several threads share. A thread that needs more than is left waits; one alone always gets it."""

    def __init__(self, size: int) -> None:
        self._size, self._used = size, 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, needed: int) -> Iterator[None]:
        """Reserve `needed` bytes within the block."""
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + needed <= self._size)
            self._used += needed
        try:
            yield
        finally:
            with self._changed:
                self._used -= needed
                self._changed.notify_all()
