"""The layout of the context: counters, sums, rings, and the kernels' scratch memory at its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from firmware_export.rows import engine
from firmware_export.rows.arrange import Arrangement, arrange, sums_name
from firmware_export.rows.layers import Tensor
from firmware_export.rows.plan import Plan

_WORD = 4


@dataclass(frozen=True)
class Place:
    """A number of bytes, and the C expression for it."""

    value: int
    text: str

    def plus(self, bytes_: int) -> "Place":
        """The place that many bytes later."""
        return Place(self.value + bytes_, f"{self.text} + {bytes_}u") if bytes_ else self


@dataclass(frozen=True)
class Member:
    """A member of the context."""

    name: str
    declaration: str
    bytes: int


@dataclass(frozen=True)
class Context:
    """The memory for one image in progress.

    Attributes:
        plan: the rings.
        type_name: the C type.
        has_checks: whether every slot of a ring, and the sums of each layer, have a `satkd_engine_check`.
    """

    plan: Plan
    type_name: str
    has_checks: bool = False

    @cached_property
    def arrangement(self) -> Arrangement:
        """Where all but the counters lies. With checks nothing shares memory: a check covers a ring to the end."""
        return arrange(self.plan, shares=not self.has_checks)

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The members after `state`, without the scratch memory."""
        steps = len(self.plan.network.layers) + 1
        steps += steps % 2
        comment = "/* done: rows of the image, then steps of each layer */"
        members = [Member("steps", f"uint16_t steps[{steps}]; {comment}", 2 * steps)]
        if self.has_checks:
            number = len(self._checked)
            declaration = f"satkd_engine_check checks[{number}]; /* of the sums and of every row */"
            members.append(Member("checks", declaration, engine.CHECK_BYTES * number))
        return (*members, *(self._member(group) for group in self.arrangement.groups))

    def _member(self, group: Sequence[int]) -> Member:
        """The member of blocks that share memory, or of one block."""
        found = self.arrangement
        blocks = [found.blocks[i] for i in group]
        size = max(found.starts[i] + found.blocks[i].bytes for i in group) - found.starts[group[0]]
        name = self._group_name(group)
        if len(group) > 1:
            names = ", ".join(sorted((block.name for block in blocks), key=lambda name: int(name.rpartition("_")[2])))
            return Member(name, f"int8_t {name}[{size}]; /* {names} */", size)
        if name.startswith("sums"):
            return Member(name, f"int32_t {name}[{size // _WORD}];", size)
        ring = self.plan.rings[int(name.rpartition("_")[2])]
        held = f"{ring.depth} of {ring.tensor.height} rows of {ring.row_bytes} bytes"
        return Member(name, f"int8_t {name}[{size}]; /* {held} */", size)

    def _group_name(self, group: Sequence[int]) -> str:
        if len(group) == 1:
            return self.arrangement.blocks[group[0]].name
        shared = [each for each in self.arrangement.groups if len(each) > 1]
        return f"shared_{shared.index(tuple(group))}"

    @property
    def bytes(self) -> int:
        """The size without scratch memory."""
        return engine.STATE_BYTES + sum(member.bytes for member in self.members)

    @cached_property
    def scratch_bytes(self) -> dict[str, int]:
        """The size of the scratch memory beyond `bytes`, by kernels."""
        return {kernels: self.arrangement.scratch_bytes(kernels) for kernels in engine.KERNELS}

    def scratch(self, position: int) -> Place:
        """Where the scratch memory of a layer begins: where nothing is needed while it runs."""
        before_end = self.arrangement.bytes - self.arrangement.scratch_starts[position - 1]
        start = self.bytes - before_end
        return Place(start, f"{start}u" if before_end else f"offsetof({self.type_name}, scratch)")

    def is_shared(self, name: str) -> bool:
        """Whether a ring or sums lie where others do at other times."""
        return len(self._group_of(name)) > 1

    def _group_of(self, name: str) -> tuple[int, ...]:
        names = [block.name for block in self.arrangement.blocks]
        if name not in names:
            raise KeyError(name)
        return next(group for group in self.arrangement.groups if names.index(name) in group)

    def place(self, name: str) -> Place:
        """Where a ring, sums or another member begins."""
        own = {member.name for member in self.members}
        within, member_name = 0, name
        if name not in own:
            group, starts = self._group_of(name), self.arrangement.starts
            position = next(i for i in group if self.arrangement.blocks[i].name == name)
            within, member_name = starts[position] - starts[group[0]], self._group_name(group)
        start = engine.STATE_BYTES
        for member in self.members:
            if member.name == member_name:
                break
            start += member.bytes
        return Place(start, f"offsetof({self.type_name}, {member_name})").plus(within)

    @cached_property
    def _checked(self) -> list[str]:
        """The member that each check is about, in order."""
        sums = [sums_name(position) for position, layer in enumerate(self.plan.network.layers, start=1) if layer.sums]
        return sums + [f"rows_{i}" for i, ring in enumerate(self.plan.rings) for _ in range(ring.depth)]

    def checks(self, name: str) -> Place | int:
        """Where the first check of a member is; 0 without checks."""
        if not self.has_checks:
            return 0
        return self.place("checks").plus(engine.CHECK_BYTES * self._checked.index(name))

    def ring(self, tensor: Tensor, *, pads: int = 0) -> Place:
        """Where a tensor's ring begins: its first pixel, or `pads` pixels of padding before it."""
        return self.place(self.ring_name(tensor)).plus(self.bytes_before(tensor, pads=pads))

    def ring_name(self, tensor: Tensor) -> str:
        """The member with a tensor's ring."""
        return f"rows_{self.plan.rings.index(self.plan.ring_of[tensor])}"

    def bytes_before(self, tensor: Tensor, *, pads: int = 0) -> int:
        """Bytes of a slot before the first pixel, or before `pads` pixels of padding in front of it."""
        return (self.plan.ring_of[tensor].pad_left - pads) * tensor.channels
