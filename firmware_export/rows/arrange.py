"""Arrange rings and sums in memory: two that are never needed at the same step may lie in the same place.

The schedule is fixed, so it is known for each of its steps which rows will still be read. In a ring without padding,
each slot is needed while its row waits to be read; a ring with padding is needed from the first step of the layer that
writes it until the last read, because its padding is set once. The kernels' scratch memory is needed during a step: it
lies where nothing is needed then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from firmware_export.rows import fast_kernels
from firmware_export.rows.layers import Tensor
from firmware_export.rows.plan import Plan
from firmware_export.rows.ring import Ring

_TRIES = 40
_MOST_PARTS = 16
"""Of a ring: more of them save little memory, and take long."""

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
        scratch_sizes: of each layer, by kernels.
    """

    blocks: tuple[Block, ...]
    starts: tuple[int, ...]
    scratch_starts: tuple[int, ...]
    scratch_sizes: tuple[Mapping[str, int], ...]

    @cached_property
    def bytes(self) -> int:
        """The size, without scratch memory."""
        return max(start + block.bytes for start, block in zip(self.starts, self.blocks, strict=True))

    def scratch_bytes(self, kernels: str) -> int:
        """The scratch memory that some kernels need beyond `bytes`."""
        ends = [
            start + sizes[kernels]
            for start, sizes in zip(self.scratch_starts, self.scratch_sizes, strict=True)
            if sizes[kernels]
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


def arrange(planned: Plan, *, shares: bool = True) -> Arrangement:
    """Arrange the memory of a plan.

    Args:
        planned: with depths and schedule.
        shares: whether blocks may share memory; otherwise they lie one after another.
    """
    blocks = _blocks(planned)
    sizes = [block.bytes for block in blocks]
    scratch_sizes = tuple(fast_kernels.scratch_bytes(layer) for layer in planned.network.layers)
    if not shares:
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        return Arrangement(tuple(blocks), tuple(starts), (sum(sizes),) * len(scratch_sizes), scratch_sizes)
    parts = _parts(planned, blocks)
    needed, working = _needed(planned, parts)
    conflicts = (needed.astype(np.float32) @ needed.T.astype(np.float32)) > 0
    during = (working.astype(np.float32) @ needed.T.astype(np.float32)) > 0
    block_of, part_begins, part_ends = parts.T
    most_scratch = [max(each.values()) for each in scratch_sizes]

    def placed(order: Sequence[int]) -> Arrangement:
        starts = _first_fit(order, parts, conflicts)
        begins, ends = starts[block_of] + part_begins, starts[block_of] + part_ends
        scratch = [
            _lowest(begins[found] - size, ends[found]) if size else 0
            for size, found in zip(most_scratch, during, strict=True)
        ]
        return Arrangement(tuple(blocks), tuple(map(int, starts)), tuple(scratch), scratch_sizes)

    lives = np.array([needed[block_of == i].any(axis=0) for i in range(len(blocks))])
    first = lives.argmax(axis=1)
    duration = lives.sum(axis=1)
    everything = range(len(blocks))
    orders = [
        sorted(everything, key=lambda i: -sizes[i]),
        sorted(everything, key=lambda i: (-sizes[i] * int(duration[i]), i)),
        sorted(everything, key=lambda i: (-int(duration[i]), -sizes[i])),
        sorted(everything, key=lambda i: (int(first[i]), -sizes[i])),
    ]
    tried = [(placed(order), order) for order in orders]
    best, order = min(tried, key=lambda found: (found[0].most_bytes, found[0].bytes))
    for _ in range(_TRIES):  # what lies highest is placed first
        highest = max(everything, key=lambda i: best.starts[i] + sizes[i])
        order = [highest, *(i for i in order if i != highest)]
        found = placed(order)
        if (found.most_bytes, found.bytes) < (best.most_bytes, best.bytes):
            best = found
    return best


def layer_ends(planned: Plan, arrangement: Arrangement) -> np.ndarray:
    """Where the memory ends that is needed while the source runs, and each layer, with its scratch memory.

    Returns:
        int64 [1 + layers], bytes; the first is that of the source.
    """
    parts = _parts(planned, arrangement.blocks)
    needed, _ = _needed(planned, parts)
    ends = np.where(needed, (np.array(arrangement.starts)[parts[:, 0]] + parts[:, 2])[:, None], 0).max(axis=0)
    schedule = np.array(planned.schedule)
    sizes = [each["dsp"] for each in arrangement.scratch_sizes]
    scratch = [start + size if size else 0 for start, size in zip(arrangement.scratch_starts, sizes, strict=True)]
    return np.array([max(ends[schedule == i].max(), end) for i, end in enumerate([0, *scratch])])


def _blocks(planned: Plan) -> list[Block]:
    layers = enumerate(planned.network.layers, start=1)
    blocks = [Block(sums_name(i), _WORD * layer.sums) for i, layer in layers if layer.sums]
    return blocks + [Block(f"rows_{i}", ring.bytes) for i, ring in enumerate(planned.rings)]


def sums_name(position: int) -> str:
    """The name of the sums of a layer.

    >>> sums_name(13)
    'sums_13'
    """
    return f"sums_{position}"


def _parts(planned: Plan, blocks: Sequence[Block]) -> np.ndarray:
    """The parts of blocks that are needed at times of their own: int64 [parts, 3] of block, first byte and end.

    A part is a slot of a ring without padding, or several, any other ring, or the sums of a layer.
    """
    parts = []
    before = len(blocks) - len(planned.rings)
    for i, block in enumerate(blocks):
        ring = planned.rings[i - before] if i >= before else None
        size = _slots_a_part(ring) * ring.row_bytes if ring and not ring.is_padded else block.bytes
        parts += [(i, start, min(start + size, block.bytes)) for start in range(0, block.bytes, size)]
    return np.array(parts, np.int64)


def _slots_a_part(ring: Ring) -> int:
    return ring.depth if ring.is_padded else -(-ring.depth // _MOST_PARTS)


def _first_fit(order: Sequence[int], parts: np.ndarray, conflicts: np.ndarray) -> np.ndarray:
    """Each block's start: the lowest place where no part of it meets another one with which it conflicts."""
    block_of, firsts, ends = parts.T
    starts = np.zeros(len(order), np.int64)
    is_placed = np.zeros(len(parts), bool)
    for i in order:
        own = np.flatnonzero(block_of == i)
        others = np.flatnonzero(is_placed)
        mine, other = np.nonzero(conflicts[np.ix_(own, others)])
        mine, other = own[mine], others[other]
        base = starts[block_of[other]]
        starts[i] = _lowest(base + firsts[other] - ends[mine], base + ends[other] - firsts[mine])
        is_placed[own] = True
    return starts


def _lowest(begins: np.ndarray, ends: np.ndarray) -> int:
    """The lowest place from 0 on that is within no interval; an interval excludes its begin and its end."""
    order = np.argsort(begins)
    candidates = np.maximum.accumulate(np.concatenate([[0], ends[order]]))
    is_free = np.append(begins[order] >= candidates[:-1], True)
    return int(candidates[is_free.argmax()])


def _needed(planned: Plan, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """When each part is needed, bool [parts, steps], and when each layer runs, bool [layers, steps]."""
    layers, length = planned.network.layers, len(planned.schedule)
    schedule = np.array(planned.schedule)
    times = [np.flatnonzero(schedule == i) for i in range(len(layers) + 1)]
    working = np.array([schedule == i for i in range(1, len(layers) + 1)])
    lives = _lives(planned, times)
    needed = np.zeros((len(parts), length), bool)
    summing = [when for layer, when in zip(layers, times[1:], strict=True) if layer.sums]
    for part, when in zip(needed, summing, strict=False):  # sums come first
        part[when[0] : when[-1] + 1] = True
    first = len(summing)
    for ring in planned.rings:
        size = _slots_a_part(ring)
        slots = needed[first : first - (-ring.depth // size)]
        for tensor in ring.tensors:
            for row, (begin, end) in enumerate(lives[tensor]):
                slots[row % ring.depth // size, begin : end + 1] = True
        if ring.is_padded:  # set at the first step of the layer that writes it
            found = np.flatnonzero(slots[0])
            begins = [
                int(when[0]) for layer, when in zip(layers, times[1:], strict=True) if layer.output in ring.tensors
            ]
            slots[0, min([*begins, found[0]]) : found[-1] + 1] = True
        first += len(slots)
    return needed, working


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
