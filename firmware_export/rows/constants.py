"""The weights and tables of a model, and the schedule: arrays of words, then arrays of bytes."""

import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np

from firmware_export.rows.context import Place
from firmware_export.rows.layers import Convolution, Layer, Lookup, Softmax
from firmware_export.rows.layers_elementwise import Pairwise
from firmware_export.rows.layers_structure import Resizing, TransposedConvolution
from firmware_export.rows.plan import Plan

_WORD = 4
_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int32": "int32_t"}


@dataclass
class Constants:
    """Arrays by name, each zero-padded to a multiple of 4 bytes, so that compilers insert no padding between them.

    Attributes:
        type_name: the C type of the structure.
        start: bytes in the structure before the first array.
        arrays: in the order in which they were added; in the structure, words come first.
    """

    type_name: str = "satkd_constants_t"
    start: int = 0
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, name: str, values: np.ndarray) -> None:
        """Append an array of int8, uint8 or int32.

        Raises:
            ValueError: the name is already used.
        """
        if name in self.arrays:
            raise ValueError(f"two constants are named {name}")
        flat = values.reshape(-1)
        self.arrays[name] = np.pad(flat, (0, -flat.size % (_WORD // flat.itemsize)))

    def in_order(self) -> dict[str, np.ndarray]:
        """The arrays as they lie in the structure."""
        return dict(sorted(self.arrays.items(), key=lambda item: item[1].itemsize != _WORD))

    @property
    def words_bytes(self) -> int:
        """Bytes of the structure before the first array of bytes."""
        return self.start + sum(array.nbytes for array in self.arrays.values() if array.itemsize == _WORD)

    @property
    def content(self) -> bytes:
        """The arrays' bytes on a little-endian part."""
        return b"".join(map(_little_endian, self.in_order().values()))

    def has_words(self, name: str) -> bool:
        """Whether there is an array of int32 of this name."""
        return name in self.arrays and self.arrays[name].itemsize == _WORD

    def has_bytes(self, name: str) -> bool:
        """Whether there is an array of int8 or uint8 of this name."""
        return name in self.arrays and self.arrays[name].itemsize == 1

    def span(self, names: Collection[str]) -> tuple[Place, bytes]:
        """Where arrays that lie side by side begin, and their bytes on a little-endian part.

        Raises:
            ValueError: other arrays lie between them.
        """
        order = self.in_order()
        lie = [i for i, name in enumerate(order) if name in names]
        if lie != list(range(lie[0], lie[0] + len(names))):
            raise ValueError(f"other constants lie between {', '.join(names)}")
        found = list(order)[lie[0] : lie[0] + len(names)]
        return self.place(found[0]), b"".join(_little_endian(order[name]) for name in found)

    def place(self, name: str) -> Place:
        """Where an array begins in the structure."""
        start = self.start
        for other, array in self.in_order().items():
            if other == name:
                return Place(start, f"offsetof({self.type_name}, {name})")
            start += array.nbytes
        raise KeyError(name)

    def declarations(self) -> Iterator[str]:
        """A member for each array, such as `int8_t weights_1[432];`."""
        for name, array in self.in_order().items():
            yield f"{_TYPES[array.dtype.name]} {name}[{array.size}];"

    def initializers(self) -> Iterator[tuple[str, str]]:
        """Each array's name and values, indented for the structure's initializer, without the last comma."""
        for name, array in self.in_order().items():
            values = ", ".join(map(_literal, array.tolist()))
            yield name, textwrap.fill(values, 118, initial_indent="    ", subsequent_indent="    ")


def _little_endian(array: np.ndarray) -> bytes:
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def _literal(value: int) -> str:
    # −2147483648 is not a literal in C: the minus sign applies to a number outside int32_t.
    return "-2147483647 - 1" if value == -(1 << 31) else str(value)


def constants(plan: Plan, type_name: str, start: int) -> Constants:
    """All arrays in flash: those of the layers, rows of zero points, and the schedule.

    Args:
        plan: of the model.
        type_name: the C type of the structure.
        start: bytes in the structure before the first array.
    """
    found = Constants(type_name, start)
    for position, layer in enumerate(plan.network.layers, start=1):
        for name, values in _arrays(layer).items():
            found.add(f"{name}_{position}", values)
    for zero_point, length in sorted(_outside_lengths(plan).items()):
        found.add(outside_name(zero_point), np.full(length, zero_point, np.int8))
    found.add("schedule", np.frombuffer(schedule(plan), np.uint8))
    return found


def schedule(plan: Plan) -> bytes:
    """The schedule's entries, each in `schedule_bytes(plan)` bytes, the low byte first."""
    return np.array(plan.schedule, f"<u{schedule_bytes(plan)}").tobytes()


def schedule_bytes(plan: Plan) -> int:
    """The size of an entry of the schedule: 1 or 2."""
    return 1 if len(plan.network.layers) < 256 else 2


def outside_name(zero_point: int) -> str:
    """The name of the row of zero points that convolutions read above and below an image.

    >>> outside_name(-128), outside_name(3)
    ('outside_minus_128', 'outside_3')
    """
    return f"outside_{'minus_' if zero_point < 0 else ''}{abs(zero_point)}"


def _arrays(layer: Layer) -> dict[str, np.ndarray]:
    match layer:
        case Convolution() | TransposedConvolution():
            return {
                "bias": layer.bias,
                "multipliers": layer.multiplier,
                "shifts": layer.shift,
                "weights": layer.weights,
            }
        case Lookup():
            return {"table": layer.table}
        case Pairwise(operand=operand) if operand.constant is not None:
            return {"table": operand.constant}
        case Softmax():
            return {"table": layer.exponentials}
        case Resizing():
            return {"table": np.concatenate([layer.rows, layer.columns])}
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
