"""A memory plan computed on the host, for models where TensorFlow Lite Micro's own planner wastes memory.

TFLM places activations with a greedy planner, largest first (`micro/memory_planner/greedy_memory_planner.cc`). For some
graphs this leaves gaps: of a ResNet16's arena of 272,416 bytes at 64×64, 65,536 bytes are unused. Instead, a model can
contain its own plan as metadata named `OfflineMemoryAllocation` (`micro/docs/memory_management.md`, "Offline planned
tensor allocations"). It costs 4 bytes of flash per tensor, and no additional code.

Operators never work in place here: as in TFLM, an operator's inputs and outputs exist at the same time.

The plan does not include scratch buffers (those of CMSIS-NN; the host's reference kernels use none): TFLM places them
around the plan when it prepares the model. Each buffer exists during one operator only, so together they raise the peak
by at most the largest request of one operator. The arena margin covers this.

`arena.find` decides whether a plan is worth using.

A model with a plan cannot run with every tensor kept (`TflmInterpreter(…, keeps_tensors=True)`), because the planner
that TFLM then uses (`linear_memory_planner.cc`) refuses offline offsets. `offline_metadata.without_plan` returns
the model for that comparison.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.common.steps import step
from firmware_export.tflite import interpreters
from firmware_export.tflite.graph import Graph, Tensor
from firmware_export.tflite.model import Model
from firmware_export.tflite.offline_metadata import ONLINE_PLANNED, with_offsets

ALIGNMENT = interpreters.ARENA_STEP
"""Bytes: TFLM rounds sizes up to this before it plans (`MicroArenaBufferAlignment`)."""

_NEVER_USED = -1  # TFLM's kUninitializedLifetime
_TRIALS = 1000  # takes a second or two with a hundred tensors; the search ends early at the lower bound
_SEED = 0


@dataclass(frozen=True)
class Block:
    """Memory that is in use from operator `first` to operator `last`, both inclusive; `size` in bytes."""

    first: int
    last: int
    size: int


@dataclass(frozen=True)
class Plan:
    """The place of each tensor.

    Attributes:
        offsets: bytes from the start of the arena, one per tensor of the graph, multiples of 16; −1 for constants,
            variables (which must outlive an inference) and tensors without a fixed size.
        peak_bytes: size of the memory that contains all planned tensors.
        lower_bound_bytes: the largest sum of the tensors in use at any operator; no plan can need less.
    """

    offsets: tuple[int, ...]
    peak_bytes: int
    lower_bound_bytes: int


def plan(model: Model) -> Plan:
    """Search for a compact placement of a model's activations; the same model always gets the same plan.

    Args:
        model: with one subgraph. An existing plan is ignored.

    Raises:
        UserError: the model has several subgraphs.
    """
    graph = model.graph
    blocks = _blocks(graph)
    placed = place(list(blocks.values()))
    offsets = [ONLINE_PLANNED] * len(graph.tensors)
    for index, offset in zip(blocks, placed, strict=True):
        offsets[index] = offset
    return Plan(tuple(offsets), peak(list(blocks.values()), placed), lower_bound(list(blocks.values())))


@step("planning the arena")
def with_offline_plan(model: Model) -> Model:
    """The same model with `plan`'s offsets as metadata; they replace an existing plan.

    Args:
        model: with one subgraph.

    Raises:
        UserError: the model has several subgraphs.
    """
    return with_offsets(model, plan(model).offsets)


def place(blocks: Sequence[Block]) -> list[int]:
    """Find offsets at which blocks that are in use at the same time do not overlap.

    First fit is tried in several orders, including the given one and TFLM's, so the result is never worse than with
    either of these. Then hill climbing, as in Arm's Vela, improves the best order: each trial moves one block to a
    random position, and the change is kept if the peak does not rise. The seed is fixed. The search ends early at the
    lower bound.

    Args:
        blocks: what to place; sizes are rounded up to 16 bytes.

    Returns:
        Offsets in bytes, one per block, multiples of 16.
    """
    neighbours = [
        [j for j, other in enumerate(blocks) if j != i and block.first <= other.last and other.first <= block.last]
        for i, block in enumerate(blocks)
    ]

    def fit(order: Sequence[int]) -> list[int]:
        return _first_fit(blocks, neighbours, order)

    return _climb(blocks, min(_orders(blocks), key=lambda order: peak(blocks, fit(order))), fit)


def peak(blocks: Sequence[Block], offsets: Sequence[int]) -> int:
    """Bytes from the start of the arena to the end of the last block; 0 without blocks."""
    return max((o + _aligned(block.size) for block, o in zip(blocks, offsets, strict=True)), default=0)


def lower_bound(blocks: Sequence[Block]) -> int:
    """The largest sum of the blocks in use at any operator, in bytes, with sizes rounded up to 16."""
    # The sum rises only where a block begins.
    return max(
        (sum(_aligned(b.size) for b in blocks if b.first <= now <= b.last) for now in {b.first for b in blocks}),
        default=0,
    )


def _orders(blocks: Sequence[Block]) -> list[list[int]]:
    given = list(range(len(blocks)))
    keys: list[Callable[[int], tuple[int, ...]]] = [
        lambda i: (-blocks[i].size, blocks[i].first),
        lambda i: (blocks[i].first - blocks[i].last, -blocks[i].size),
        lambda i: (blocks[i].size * (blocks[i].first - blocks[i].last - 1),),
        lambda i: (blocks[i].first, -blocks[i].last),
    ]
    # TFLM fills its list from the back, then sorts it stably, largest first.
    tflm = sorted(reversed(given), key=lambda i: -_aligned(blocks[i].size))
    return [given, tflm, *(sorted(given, key=key) for key in keys)]


def _first_fit(blocks: Sequence[Block], neighbours: Sequence[Sequence[int]], order: Sequence[int]) -> list[int]:
    ends: dict[int, tuple[int, int]] = {}
    for i in order:
        size, offset = _aligned(blocks[i].size), 0
        for start, end in sorted(ends[j] for j in neighbours[i] if j in ends):
            if start - offset >= size:
                break
            offset = max(offset, end)
        ends[i] = offset, offset + size
    return [ends[i][0] for i in range(len(blocks))]


def _climb(blocks: Sequence[Block], order: Sequence[int], fit: Callable[[Sequence[int]], list[int]]) -> list[int]:
    generator, bound = random.Random(_SEED), lower_bound(blocks)
    best = fit(order)
    least = peak(blocks, best)
    for trial in range(_TRIALS):
        if least == bound:
            break
        tops = [at for at, i in enumerate(order) if best[i] + _aligned(blocks[i].size) == least]
        # If only blocks at the peak were moved, the blocks below would never be rearranged.
        source = generator.choice(tops) if trial % 2 else generator.randrange(len(order))
        changed = list(order)
        changed.insert(generator.randrange(len(order)), changed.pop(source))
        offsets = fit(changed)
        if (now := peak(blocks, offsets)) <= least:
            order, best, least = changed, offsets, now
    return best


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _blocks(graph: Graph) -> dict[int, Block]:
    """The blocks for TFLM's planner by tensor index, as in `AllocationInfoBuilder::MarkAllocationLifetimes`."""
    if graph.subgraphs != 1:
        raise UserError(f"{graph.name} has {graph.subgraphs} subgraphs, 1 expected: remove control flow and variables")
    first, last = _lifetimes(graph)
    blocks = {}
    for tensor in graph.tensors:
        size = _bytes(tensor)
        if size and not tensor.is_constant and not tensor.is_variable:
            blocks[tensor.index] = Block(
                first.get(tensor.index, _NEVER_USED), last.get(tensor.index, _NEVER_USED), size
            )
    return blocks


def _lifetimes(graph: Graph) -> tuple[dict[int, int], dict[int, int]]:
    """First and last use by tensor index: 0 is before the first operator, n is the n-th operator."""
    first = {tensor.index: 0 for tensor in graph.inputs}
    last = dict(first)
    for now, operator in enumerate(graph.operators, start=1):
        for tensor in operator.outputs:
            first.setdefault(tensor.index, now)
        for used in (*operator.inputs, *operator.outputs):
            if used is not None:
                last[used.index] = now
    for tensor in graph.outputs:
        first.setdefault(tensor.index, len(graph.operators))
        last[tensor.index] = len(graph.operators)
    return first, last


def _bytes(tensor: Tensor) -> int:
    try:
        return tensor.size * np.dtype(tensor.dtype).itemsize
    except TypeError:  # strings, resources and 4-bit types: TFLM places these itself
        return 0
