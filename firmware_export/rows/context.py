"""The layout of the context: counters, sums, rings, and the kernels' scratch memory at its end."""

from dataclasses import dataclass
from functools import cached_property

from firmware_export.rows import engine, fast_kernels
from firmware_export.rows.layers import Convolution, Layer, Tensor
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
    def members(self) -> tuple[Member, ...]:
        """The members after `state`, without the scratch memory."""
        layers = self.plan.network.layers
        steps = len(layers) + 1
        steps += steps % 2
        comment = "/* done: rows of the image, then steps of each layer */"
        members = [Member("steps", f"uint16_t steps[{steps}]; {comment}", 2 * steps)]
        for position, layer in enumerate(layers, start=1):
            if layer.sums:
                name = sums_name(position)
                members.append(Member(name, f"int32_t {name}[{layer.sums}];", _WORD * layer.sums))
        if self.has_checks:
            number = len(self._checked)
            declaration = f"satkd_engine_check checks[{number}]; /* of the sums and of every row */"
            members.append(Member("checks", declaration, engine.CHECK_BYTES * number))
        for i, ring in enumerate(self.plan.rings):
            name, held = f"rows_{i}", f"{ring.depth} of {ring.tensor.height} rows of {ring.row_bytes} bytes"
            members.append(Member(name, f"int8_t {name}[{ring.bytes}]; /* {held} */", ring.bytes))
        return tuple(members)

    @property
    def bytes(self) -> int:
        """The size without scratch memory."""
        return engine.STATE_BYTES + sum(member.bytes for member in self.members)

    @cached_property
    def scratch_bytes(self) -> dict[str, int]:
        """The size of the scratch memory, by kernels."""
        sizes = [
            fast_kernels.conv_scratch_bytes(
                layer.window.kernel_height, layer.window.kernel_width, layer.inputs[0].channels, layer.output.channels
            )
            for layer in self.plan.network.layers
            if has_fast_kernel(layer) and isinstance(layer, Convolution)
        ]
        return {kernels: max((size[kernels] for size in sizes), default=0) for kernels in engine.KERNELS}

    @property
    def scratch(self) -> Place:
        """Where the scratch memory begins."""
        return Place(self.bytes, f"offsetof({self.type_name}, scratch)")

    def place(self, name: str) -> Place:
        """Where a member begins."""
        start = engine.STATE_BYTES
        for member in self.members:
            if member.name == name:
                return Place(start, f"offsetof({self.type_name}, {name})")
            start += member.bytes
        raise KeyError(name)

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


def sums_name(position: int) -> str:
    """The member with the sums of a layer.

    >>> sums_name(13)
    'sums_13'
    """
    return f"sums_{position}"


def has_fast_kernel(layer: Layer) -> bool:
    """Whether a core-specific kernel can run a layer: a convolution whose sums it computes exactly."""
    return (
        isinstance(layer, Convolution)
        and layer.depth_multiplier is None
        and layer.window.kernel_height <= engine.MOST_KERNEL_ROWS
        and layer.window.dilation_width == 1
        and fast_kernels.fits_fast_sums(layer.weights, layer.bias)
    )
