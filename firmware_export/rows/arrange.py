"""Arrange rings and sums in memory: two that are never needed at the same step may lie in the same place.

The schedule is fixed, so it is known for each of its steps which rows will still be read. A ring without padding is
needed while any of its rows waits to be read; one with padding from the first step of the layer that writes it until
the last read, because its padding is set once. The kernels' scratch memory is needed during a step: it begins above
what is needed then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from firmware_export.rows import fast_kernels
from firmware_export.rows.layers import Layer, Network, Tensor
from firmware_export.rows.plan import Plan, in_stages, plan

_TRIES = 40
_WORD = 4


@dataclass(frozen=True)
class Block:
    """A ring, or the sums of a layer.

    Attributes:
        name: of the ring `rows_0` and so on, of the sums of the third layer `sums_3`.
        bytes: its size, a multiple of 4.
    """

    name: str
    bytes: int


@dataclass(frozen=True)
class Arrangement:
    """Where blocks and scratch memory lie, in bytes from the start of the memory that they share.

    Attributes:
        blocks: in the order of the layers; sums first.
        starts: of each block.
        scratch_starts: of the scratch memory of each layer.
        layers: of the network.
    """

    blocks: tuple[Block, ...]
    starts: tuple[int, ...]
    scratch_starts: tuple[int, ...]
    layers: tuple[Layer, ...]

    @cached_property
    def bytes(self) -> int:
        """The size, without scratch memory."""
        return max(start + block.bytes for start, block in zip(self.starts, self.blocks, strict=True))

    def scratch_bytes(self, kernels: str) -> int:
        """The scratch memory that some kernels need beyond `bytes`."""
        ends = [
            start + fast_kernels.scratch_bytes(layer)[kernels]
            for start, layer in zip(self.scratch_starts, self.layers, strict=True)
            if fast_kernels.scratch_bytes(layer)[kernels]
        ]
        return max(0, max(ends, default=0) - self.bytes)

    @property
    def most_bytes(self) -> int:
        """The size with the scratch memory of a Cortex-M4."""
        return self.bytes + self.scratch_bytes("dsp")

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The blocks, by position, that lie in the same memory or are linked by others that do; lowest first."""
        groups: list[tuple[int, ...]] = []
        end = 0
        for i in sorted(range(len(self.blocks)), key=lambda i: (self.starts[i], i)):
            if self.starts[i] < end:
                groups[-1] = (*groups[-1], i)
            else:
                groups.append((i,))
            end = max(end, self.starts[i] + self.blocks[i].bytes)
        return tuple(groups)


def plan_memory(network: Network, *, shares: bool = True) -> Plan:
    """Plan a network so that it needs the least memory: in stages where those save some.

    Args:
        network: to plan.
        shares: whether rings may share memory; otherwise there are no stages.
    """
    without = plan(network)
    return min(without, in_stages(without), key=lambda found: arrange(found).most_bytes) if shares else without


def arrange(planned: Plan, *, shares: bool = True) -> Arrangement:
    """Arrange the memory of a plan.

    Args:
        planned: with depths and schedule.
        shares: whether blocks may share memory; otherwise they lie one after another.
    """
    layers = planned.network.layers
    blocks = [Block(sums_name(i), _WORD * layer.sums) for i, layer in enumerate(layers, start=1) if layer.sums]
    blocks += [Block(f"rows_{i}", ring.bytes) for i, ring in enumerate(planned.rings)]
    sizes = [block.bytes for block in blocks]
    if not shares:
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        return Arrangement(tuple(blocks), tuple(starts), (sum(sizes),) * len(layers), layers)
    needed, working = _needed(planned)
    conflicts = (needed.astype(np.float32) @ needed.T.astype(np.float32)) > 0
    during = (working.astype(np.float32) @ needed.T.astype(np.float32)) > 0

    def placed(order: Sequence[int]) -> Arrangement:
        starts = _first_fit(order, sizes, conflicts)
        ends = np.array(starts) + sizes
        scratch = [int(ends[found].max(initial=0)) for found in during]
        return Arrangement(tuple(blocks), tuple(starts), tuple(scratch), layers)

    first = needed.argmax(axis=1)
    duration = needed.sum(axis=1)
    everything = range(len(blocks))
    orders = [
        sorted(everything, key=lambda i: -sizes[i]),
        sorted(everything, key=lambda i: (-sizes[i] * int(duration[i]), i)),
        sorted(everything, key=lambda i: (-int(duration[i]), -sizes[i])),
        sorted(everything, key=lambda i: (int(first[i]), -sizes[i])),
    ]
    best = min(map(placed, orders), key=lambda found: (found.most_bytes, found.bytes))
    order = min(orders, key=lambda order: (placed(order).most_bytes, placed(order).bytes))
    for _ in range(_TRIES):  # what lies highest is placed first
        highest = max(everything, key=lambda i: best.starts[i] + sizes[i])
        order = [highest, *(i for i in order if i != highest)]
        found = placed(order)
        if (found.most_bytes, found.bytes) < (best.most_bytes, best.bytes):
            best = found
    return best


def sums_name(position: int) -> str:
    """The name of the sums of a layer.

    >>> sums_name(13)
    'sums_13'
    """
    return f"sums_{position}"


def _first_fit(order: Sequence[int], sizes: Sequence[int], conflicts: np.ndarray) -> list[int]:
    """Each block's start: the lowest place where it meets no block with which it conflicts."""
    starts: dict[int, int] = {}
    for i in order:
        start = 0
        for other in sorted((j for j in starts if conflicts[i, j]), key=lambda j: starts[j]):
            if starts[other] - start >= sizes[i]:
                break
            start = max(start, starts[other] + sizes[other])
        starts[i] = start
    return [starts[i] for i in range(len(sizes))]


def _needed(planned: Plan) -> tuple[np.ndarray, np.ndarray]:
    """When each block is needed, bool [blocks, steps], and when each layer runs, bool [layers, steps]."""
    layers, length = planned.network.layers, len(planned.schedule)
    schedule = np.array(planned.schedule)
    times = [np.flatnonzero(schedule == i) for i in range(len(layers) + 1)]
    working = np.array([schedule == i for i in range(1, len(layers) + 1)])
    lives = _lives(planned, times)
    rows = np.zeros((len(planned.rings), length), bool)
    for i, ring in enumerate(planned.rings):
        for tensor in ring.tensors:
            for begin, end in lives[tensor]:
                rows[i, begin : end + 1] = True
        if ring.pad_left or ring.pad_right:  # set at the first step of the layer that writes it
            found = np.flatnonzero(rows[i])
            begins = [
                int(when[0]) for layer, when in zip(layers, times[1:], strict=True) if layer.output in ring.tensors
            ]
            rows[i, min([*begins, found[0]]) : found[-1] + 1] = True
    sums = np.zeros((sum(1 for layer in layers if layer.sums), length), bool)
    summing = (when for layer, when in zip(layers, times[1:], strict=True) if layer.sums)
    for found, when in zip(sums, summing, strict=True):
        found[when[0] : when[-1] + 1] = True
    return np.vstack([sums, rows]), working


def _lives(planned: Plan, times: Sequence[np.ndarray]) -> dict[Tensor, list[list[int]]]:
    """For each row of each tensor: the first time that it is written and the last that it is read."""
    network = planned.network
    lives = {network.input: [[int(when), int(when)] for when in times[0]]}
    for layer, when in zip(network.layers, times[1:], strict=True):
        rows = [[0, 0] for _ in range(layer.output.height)]
        finished = 0
        for step in range(layer.steps):
            for row in range(finished, layer.begun(step)):
                rows[row] = [rows[row][0] or int(when[step]), int(when[step])]
            finished = layer.finished(step)
            for position, tensor in enumerate(layer.inputs):
                for row in layer.reads_from(position, step):
                    lives[tensor][row][1] = max(lives[tensor][row][1], int(when[step]))
        lives[layer.output] = rows
    for tensor in network.outputs:
        lives[tensor] = [[begin, len(planned.schedule) - 1] for begin, _ in lives[tensor]]
    return lives
