"""The fixed engine: C files that are the same bytes in every export, and the structures by which they read a model.

The order of the words below is that of the structures in `satkd_engine.h`. If the two differ, the engine refuses every
model, because a check covers all words.
"""

import hashlib
import re
import struct
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import count
from pathlib import Path

import firmware_export

FOLDER = Path(firmware_export.__file__).parent / "templates" / "rows" / "engine"
"""The C files of the engine."""

MODEL_FILES = ("model.c", "model.h")
"""The files that `compile.compile_rows` generates: their names begin with the prefix and `_`."""

GOLDEN_FILES = ("golden.c", "golden.h")
"""In the same way, the files that `golden.render` generates."""

KERNELS = ("portable", "dsp", "mve")
"""In the order of `scratch_bytes` in a model."""

MOST_KERNEL_ROWS = 12
"""`SATKD_ENGINE_KERNEL_ROWS`: rows of a window that fast kernels can read."""

_ROWS = ("start", "row_bytes", "depth", "height", "before", "checks")
_SCALE = ("multiplier", "shift")
_PATH = ("start", "row", "column", "channel")
_SPAN = ("start", "words")
_CHECK = ("low", "high")


def _of(name: str, members: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{name}.{member}" for member in members)


LAYER = (
    *("kind", "steps", *_of("in", _ROWS), *_of("other", _ROWS), *_of("out", _ROWS)),
    *("width_in", "channels_in", "width_out", "channels_out"),
    *("kernel_height", "kernel_width", "stride_height", "stride_width", "dilation_height", "dilation_width"),
    *("pad_top", "pad_left", "pad_front", "pad_code", *_of("path", _PATH)),
    *("zero_point_in", "zero_point_other", "zero_point_out", "lowest", "highest"),
    *(*_of("scale_in", _SCALE), *_of("scale_other", _SCALE), *_of("scale_out", _SCALE)),
    *("has_fast_sums", "has_right_shifts", "weights", "bias", "multipliers", "shifts", "outside", "table"),
    *("scratch", "result", "sums", "sums_words", "sums_check"),
    *(*_of("numbers", _SPAN), *_of("codes", _SPAN), *_of("border", _SPAN)),
    *(*_of("constants_check", _CHECK), *_of("check", _CHECK)),
)
"""The words of `satkd_engine_layer`."""

FILL = ("start", "words", "layer", "codes")
"""The words of `satkd_engine_fill`."""

MODEL = (
    *("version", "context_bytes", *_of("scratch_bytes", KERNELS), "layers", "fills"),
    *("schedule", "schedule_steps", "schedule_bytes", "has_pixels"),
    *(*_of("input", _ROWS), "input_codes"),
    *(*_of("schedule_check", _CHECK), *_of("fills_check", _CHECK), *_of("check", _CHECK)),
)
"""The words of `satkd_engine_model`."""

ELEMENTWISE_KINDS = (
    *("MULTIPLICATION", "SUBTRACTION", "SUBTRACTION_FROM", "BROADCAST_ADDITION", "MAXIMUM", "MINIMUM", "PRELU"),
    "LOG_SOFTMAX",
)
"""The kinds of layers that `satkd_engine_elementwise.c` computes, from `FIRST_ELEMENTWISE_KIND`."""

FIRST_ELEMENTWISE_KIND = 32

STATE_BYTES = 8
"""The size of `satkd_engine_state`."""

KINDS = (
    *("CONVOLUTION", "DEPTHWISE_CONVOLUTION", "ADDITION", "MAX_POOL", "AVERAGE_POOL", "AVERAGE_POOL_BY_ROW", "MEAN"),
    *("LOOKUP", "SOFTMAX", "PAD", "RESHAPE"),
)
"""The kinds of layers, from 1: `SATKD_ENGINE_CONVOLUTION` and so on."""

STRUCTURE_KINDS = ("REDUCTION", "SELECTION", "CONCATENATION", "RESIZING", "TRANSPOSED_CONVOLUTION")
"""The kinds of layers that `satkd_engine_structure.c` computes, from `FIRST_STRUCTURE_KIND`."""

FIRST_STRUCTURE_KIND = 64

_DIGEST = re.compile(r"^#define SATKD_ENGINE_SHA256 .*\n", re.MULTILINE)


@cache
def files() -> Mapping[str, str]:
    """The engine's files by name, sorted."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.iterdir())}


def digest() -> str:
    """SHA-256 of the engine's files, without the line of `satkd_engine.h` that states it."""
    return hashlib.sha256("".join(_DIGEST.sub("", text) for text in files().values()).encode()).hexdigest()


@cache
def version() -> int:
    """`SATKD_ENGINE_VERSION`."""
    found = re.search(r"#define SATKD_ENGINE_VERSION (\d+)", files()["satkd_engine.h"])
    assert found is not None
    return int(found[1])


CHECK_BYTES = 8
"""The size of `satkd_engine_check`."""


def check(words: Iterable[int]) -> tuple[int, int]:
    """The engine's sum of words, each times 3, 5, 7, and so on, modulo 2⁶⁴: its low and its high word.

    >>> check([]), check([1, 2]), check([0, -1])
    ((0, 0), (13, 0), (4294967291, 4))
    """
    factors = count(3, 2)
    total = sum((word & 0xFFFFFFFF) * next(factors) for word in words)
    return total & 0xFFFFFFFF, total >> 32 & 0xFFFFFFFF


def words(content: bytes) -> tuple[int, ...]:
    """Bytes as words, the low byte first, padded with zeros.

    >>> words(bytes([1, 2, 0, 0, 3]))
    (513, 3)
    """
    return struct.unpack(f"<{-(-len(content) // 4)}I", content + bytes(-len(content) % 4))
