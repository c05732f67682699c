"""The model's constants as one C structure, so that one checksum covers exactly these."""

import textwrap
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from firmware_export.rows.layers import Convolution, Layer, Lookup, Softmax
from firmware_export.rows.plan import Plan

_WORD = 4
_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "uint16": "uint16_t", "int32": "int32_t"}


@dataclass
class Constants:
    """Arrays by name, each zero-padded to a multiple of 4 bytes, so that compilers insert no padding between them."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, name: str, values: np.ndarray) -> None:
        """Append an array of int8, uint8, uint16 or int32.

        Raises:
            ValueError: the name is already used.
        """
        if name in self.arrays:
            raise ValueError(f"two constants are named {name}")
        flat = values.reshape(-1)
        self.arrays[name] = np.pad(flat, (0, -flat.size % (_WORD // flat.itemsize)))

    @property
    def content(self) -> bytes:
        """The structure's bytes on a little-endian part."""
        return b"".join(a.astype(a.dtype.newbyteorder("<")).tobytes() for a in self.arrays.values())

    @property
    def crc32(self) -> int:
        """zlib's CRC-32 of `content`."""
        return zlib.crc32(self.content)

    def declarations(self) -> Iterator[str]:
        """A member for each array, such as `int8_t weights_1[432];`."""
        for name, array in self.arrays.items():
            yield f"{_TYPES[array.dtype.name]} {name}[{array.size}];"

    def initializers(self) -> Iterator[str]:
        """Each array's values, indented for the structure's initializer, without the last comma."""
        for array in self.arrays.values():
            values = ", ".join(map(_literal, array.tolist()))
            yield textwrap.fill(values, 118, initial_indent="    ", subsequent_indent="    ")


def _literal(value: int) -> str:
    # −2147483648 is not a literal in C: the minus sign applies to a number outside int32_t.
    return "-2147483647 - 1" if value == -(1 << 31) else str(value)


def constants(plan: Plan) -> Constants:
    """All constants in flash: the arrays of the layers, rows of zero points, and the schedule."""
    found = Constants()
    for position, layer in enumerate(plan.network.layers, start=1):
        for name, values in _arrays(layer).items():
            found.add(f"{name}_{position}", values)
    for zero_point, length in sorted(_outside_lengths(plan).items()):
        found.add(outside_name(zero_point), np.full(length, zero_point, np.int8))
    found.add("schedule", np.array(plan.schedule, np.uint8 if len(plan.network.layers) < 256 else np.uint16))
    return found


def outside_name(zero_point: int) -> str:
    """The name of the row of zero points that convolutions read above and below an image.

    >>> outside_name(-128), outside_name(3)
    ('outside_minus_128', 'outside_3')
    """
    return f"outside_{'minus_' if zero_point < 0 else ''}{abs(zero_point)}"


def _arrays(layer: Layer) -> dict[str, np.ndarray]:
    match layer:
        case Convolution():
            return {
                "bias": layer.bias,
                "multiplier": layer.multiplier,
                "shift": layer.shift,
                "weights": layer.weights,
            }
        case Lookup():
            return {"table": layer.table}
        case Softmax():
            return {"exponentials": layer.exponentials}
    return {}


def _outside_lengths(plan: Plan) -> dict[int, int]:
    """The required length of the row of zero points, by zero point."""
    longest: dict[int, int] = {}
    for layer in plan.network.layers:
        if isinstance(layer, Convolution) and layer.sees_outside:
            given = layer.inputs[0]
            length = (given.width + sum(layer.pads)) * given.channels
            longest[given.zero_point] = max(longest.get(given.zero_point, 0), length)
    return longest
