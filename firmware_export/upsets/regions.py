"""The memory of a row engine, by region, layer and bit, and the moments at which a bit may flip."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

CONSTANTS, CONTEXT = "c", "x"
"""The two memories."""

_STEMS = {
    CONSTANTS: {
        "weights": "weights",
        **dict.fromkeys(("bias", "multipliers", "shifts"), "biases and scales"),
        **dict.fromkeys(("table", "outside"), "tables"),
        **dict.fromkeys(("model", "layers", "fills"), "layer descriptors"),
        "schedule": "schedule",
    },
    CONTEXT: {
        "state": "control state",
        "steps": "control state",
        "rows": "activations",
        "shared": "activations",
        "sums": "sums",
    },
}
"""The region of a member, by the beginning of its name."""
_REST = {CONSTANTS: "other constants", CONTEXT: "other state"}
DESCRIPTIONS = ("layer descriptors", "schedule")
"""Regions of constants that decide what is read and written."""
CONTROL = (*DESCRIPTIONS, "control state")
"""Regions whose flips must not change an answer."""


@dataclass(frozen=True)
class Member:
    """An array or structure in one of the memories."""

    memory: str
    name: str
    start: int
    bytes: int
    element: int
    """Bytes of an element."""

    @property
    def region(self) -> str:
        """The region's name."""
        return _STEMS[self.memory].get(self.name.split("_")[0], _REST[self.memory])


@dataclass(frozen=True)
class Step:
    """A step of a layer, in the order of computation."""

    row: int
    """The row of the image whose arrival it follows."""
    layer: int
    work: int
    """Multiply-accumulates, or outputs of a layer without weights: the share of time that the step takes."""


@dataclass(frozen=True)
class Region:
    """Members of one kind, and when their bits flip."""

    name: str
    is_during: bool
    """Whether bits flip while an image is in progress; otherwise before it."""
    is_always: bool
    """Whether the memory holds its content between images."""
    members: tuple[Member, ...]

    @property
    def bits(self) -> int:
        """The number of bits."""
        return 8 * sum(member.bytes for member in self.members)

    def at(self, byte: int) -> tuple[Member, int]:
        """The member that holds the region's n-th byte, and the byte's place in it."""
        for member in self.members:
            if byte < member.bytes:
                return member, byte
            byte -= member.bytes
        raise IndexError(byte)


@dataclass(frozen=True)
class Layout:
    """What the harness says of its memory."""

    members: tuple[Member, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    """Where each layer's output begins in the context."""
    rows: int
    row_bytes: int
    titles: tuple[str, ...]
    """A text for each layer, such as `CONV_2D, 64 x 64 x 3 to 64 x 64 x 16`."""

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """All regions, constants first; descriptions twice: before an image and during one."""
        found: dict[tuple[str, str], list[Member]] = {}
        for member in self.members:
            found.setdefault((member.memory, member.region), []).append(member)
        regions = []
        for (memory, name), members in found.items():
            is_constant = memory == CONSTANTS
            regions.append(Region(name, not is_constant, is_constant, tuple(members)))
            if name in DESCRIPTIONS:
                regions.append(Region(f"{name}, during an image", True, False, tuple(members)))
        return tuple(regions)

    @cached_property
    def moments(self) -> tuple[tuple[str, ...], np.ndarray]:
        """The moments during an image, and the probability of each: the share of the image's work that follows it."""
        names, work = [], []
        for row in range(self.rows + 1):
            names.append(f"r{row}")
            work.append(self.row_bytes)
            for number, step in enumerate(self.steps):
                if step.row == row:
                    names.append(f"s{number}")
                    work.append(max(1, step.work))
        weights = np.array(work, float)
        return tuple(names), weights / weights.sum()

    def layer(self, member: Member, byte: int) -> str:
        """The layer to which a byte of a member belongs, in words; rows belong to the first layer that writes them."""
        if member.name == "layers":
            return self._title(byte // (member.bytes // len(self.titles)) + 1)
        if member.name.startswith(("rows_", "shared_")):
            end = member.start + member.bytes
            writers = {start: i for i, start in reversed(list(enumerate(self.outputs, start=1)))}
            within = sorted(i for start, i in writers.items() if member.start <= start < end)
            if len(within) > 1:
                return f"layers {', '.join(map(str, within[:-1]))} and {within[-1]}, in turn"
            return self._title(within[0]) if within else "image"
        number = re.fullmatch(r"(?:weights|bias|multipliers|shifts|table|sums)_(\d+)", member.name)
        return self._title(int(number[1])) if number else "–"

    def _title(self, number: int) -> str:
        return f"{number}: {self.titles[number - 1]}"


def parse(printed: str, titles: Sequence[str]) -> Layout:
    """Read what `rows_harness layout` prints.

    Args:
        printed: its lines.
        titles: a text for each layer.
    """
    lines = [line.split() for line in printed.splitlines()]
    numbers = {words[0]: [int(word) for word in words[1:]] for words in lines if words[0] in ("image",)}
    sizes = next([int(word) for word in words[1:]] for words in lines if words[0] == "bytes")
    memories = {"constants": (CONSTANTS, sizes[0]), "context": (CONTEXT, sizes[1])}
    members = []
    for words in lines:
        if words[0] in memories:
            memory, size = memories[words[0]]
            start, count, element = map(int, words[2:])
            if start < size:  # the scratch memory of kernels that are not compiled comes after the end
                members.append(Member(memory, words[1], start, min(count, size - start), element))
    return Layout(
        members=tuple(members),
        steps=tuple(Step(*map(int, words[1:])) for words in lines if words[0] == "step"),
        outputs=tuple(int(words[2]) for words in lines if words[0] == "layer"),
        rows=numbers["image"][0],
        row_bytes=numbers["image"][1],
        titles=tuple(titles),
    )
