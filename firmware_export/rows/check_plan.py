"""Check a plan: simulate its schedule to prove that no row is read before it is written or after it is overwritten.

The simulation is independent of the planner. Each slot holds the identity of the row last written to it, and each byte
of the context the identity of what was last written there: a row, the padding of a ring, sums, or scratch memory.
"""

from collections.abc import Hashable

import numpy as np

from firmware_export.rows import engine
from firmware_export.rows.arrange import Arrangement, arrange, sums_name
from firmware_export.rows.layers import Tensor
from firmware_export.rows.plan import SOURCE, Plan


def check(plan: Plan, arrangement: Arrangement | None = None) -> None:
    """Simulate a schedule.

    Args:
        plan: the schedule, and the rings.
        arrangement: where they lie; by default one after another.

    Raises:
        RuntimeError: a layer would read a wrong row, padding or sum, or output rows are missing at the end. This is a
            defect of the planner, not a user error.
    """
    network = plan.network
    memory = _Memory(plan, arrangement or arrange(plan, shares=False))
    steps = [0] * (len(network.layers) + 1)
    memory.pad(network.input)
    for number in plan.schedule:
        step = steps[number]
        steps[number] += 1
        if number == SOURCE:
            memory.write(network.input, step, is_whole=True)
            continue
        layer = network.layers[number - 1]
        if step == 0:
            memory.pad(layer.output)
        memory.scratch(number)
        label = f"step {step} of {layer.operator}"
        for position, tensor in enumerate(layer.inputs):
            for row in layer.reads_from(position, step):
                memory.expect(tensor, row, label)
        if layer.sums:
            memory.add(number, step, label)
        finished = layer.finished(step)
        for row in range(layer.finished(step - 1) if step else 0, layer.begun(step)):
            memory.write(layer.output, row, is_whole=row < finished)
        memory.expect_scratch(number, label)
    for tensor in network.outputs:
        for row in range(tensor.height):
            memory.expect(tensor, row, "the caller")
    if steps != [network.input.height, *(layer.steps for layer in network.layers)]:
        raise RuntimeError(f"the schedule has {steps} steps")


class _Memory:
    """What each slot and each byte holds."""

    def __init__(self, plan: Plan, arrangement: Arrangement) -> None:
        self.plan = plan
        self.arrangement = arrangement
        self.layers = plan.network.layers
        self.slots: dict[tuple[int, int], tuple[Tensor, int, bool]] = {}
        self.starts = dict(zip((block.name for block in arrangement.blocks), arrangement.starts, strict=True))
        most = max(arrangement.scratch_bytes(kernels) for kernels in engine.KERNELS)
        self.bytes = np.zeros(arrangement.bytes + most, np.int32)
        self.identities: dict[Hashable, int] = {}

    def _identity(self, of: Hashable) -> int:
        return self.identities.setdefault(of, len(self.identities) + 1)

    def _ring(self, tensor: Tensor) -> int:
        return self.plan.rings.index(self.plan.ring_of[tensor])

    def _slot(self, tensor: Tensor, row: int) -> tuple[int, int]:
        return self._ring(tensor), row % self.plan.ring_of[tensor].depth

    def _span(self, tensor: Tensor, row: int) -> tuple[int, int, int, int]:
        """Where a slot begins, where its row begins and ends, and where the padding behind it ends."""
        number, slot = self._slot(tensor, row)
        ring = self.plan.rings[number]
        start = self.starts[f"rows_{number}"] + slot * ring.row_bytes
        first = start + ring.pad_left * tensor.channels
        end = first + tensor.row_codes
        return start, first, end, end + ring.pad_right * tensor.channels

    def pad(self, tensor: Tensor) -> None:
        """The engine sets padding when an image begins or, of a ring that shares memory, before it is first written."""
        ring, number = self.plan.ring_of[tensor], self._ring(tensor)
        if tensor == ring.tensors[0] and ring.is_padded:
            start = self.starts[f"rows_{number}"]
            self.bytes[start : start + ring.bytes] = self._identity(number)

    def write(self, tensor: Tensor, row: int, *, is_whole: bool) -> None:
        """Write a row or a part of it."""
        _, first, end, _ = self._span(tensor, row)
        self.slots[self._slot(tensor, row)] = tensor, row, is_whole
        self.bytes[first:end] = self._identity((tensor, row))

    def expect(self, tensor: Tensor, row: int, reader: str) -> None:
        """Read a row with its padding."""
        found = self.slots.get(self._slot(tensor, row))
        if found != (tensor, row, True):
            raise RuntimeError(f"{reader} reads row {row} of {tensor.name!r} and finds {found}")
        start, first, end, last = self._span(tensor, row)
        padding = np.concatenate([self.bytes[start:first], self.bytes[end:last]])
        is_padded = (padding == self._identity(self._ring(tensor))).all()
        if not is_padded or (self.bytes[first:end] != self._identity((tensor, row))).any():
            raise RuntimeError(f"{reader} reads row {row} of {tensor.name!r} where something else was written")

    def add(self, number: int, step: int, reader: str) -> None:
        """Add to the sums of a layer."""
        start = self.starts[sums_name(number)]
        sums = self.bytes[start : start + 4 * self.layers[number - 1].sums]
        if step and (sums != self._identity(sums_name(number))).any():
            raise RuntimeError(f"{reader} adds to sums where something else was written")
        sums[:] = self._identity(sums_name(number))

    def _scratch(self, number: int) -> np.ndarray:
        start, sizes = self.arrangement.scratch_starts[number - 1], self.arrangement.scratch_sizes[number - 1]
        return self.bytes[start : start + max(sizes.values())]

    def scratch(self, number: int) -> None:
        """Write all scratch memory of a layer."""
        self._scratch(number)[:] = self._identity(("scratch", number))

    def expect_scratch(self, number: int, reader: str) -> None:
        """Read it."""
        if (self._scratch(number) != self._identity(("scratch", number))).any():
            raise RuntimeError(f"{reader} uses scratch memory where something else was written")
