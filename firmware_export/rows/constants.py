"""The model's constants as one C structure, so that one checksum covers them and nothing else."""

import textwrap
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

_WORD = 4
_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "uint16": "uint16_t", "int32": "int32_t"}


@dataclass
class Constants:
    """Arrays by name, each filled up with zeros to a multiple of 4 bytes: no compiler then puts gaps between them."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, name: str, values: np.ndarray) -> None:
        """Put an array of int8, uint8, uint16 or int32 behind those there are.

        Raises:
            ValueError: the name is taken.
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
            yield textwrap.fill(values, 118, initial_indent="   ", subsequent_indent="   ")


def _literal(value: int) -> str:
    # −2147483648 is no literal in C: the minus sign applies to a number that int32_t lacks.
    return "-2147483647 - 1" if value == -(1 << 31) else str(value)
