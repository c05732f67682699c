"""A memory plan made on the host, where TensorFlow Lite Micro's own planner wastes memory.

TFLM packs activations with a greedy planner, largest first (`micro/memory_planner/greedy_memory_planner.cc`). For some
graphs that leaves gaps: of a ResNet16's 272,416 bytes of arena at 64×64, 65,536 hold nothing. A model can bring a plan
of its own instead, as metadata named `OfflineMemoryAllocation` (`micro/docs/memory_management.md`, "Offline planned
tensor allocations"); it costs 4 bytes of flash for each tensor, and no other code.

Tensors never share memory in place here: an operator's inputs and outputs live at the same time, as TFLM has it.

Scratch buffers (CMSIS-NN's, which the host's reference kernels do not ask for) are unknown here: TFLM places them
around the plan when it prepares the model. Each lives during one operator only, so they add to the peak at most what
the greediest operator asks for, which is what the export's arena margin is for.

Whether a plan pays is decided by `arena.find`.

A planned model cannot run with every tensor kept (`TflmInterpreter(…, keeps_tensors=True)`): the planner TFLM uses
then (`linear_memory_planner.cc`) refuses offline offsets. `offline_metadata.without_plan` gives the model to
compare with.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.tflite import interpreters
from firmware_export.tflite.graph import Graph, Tensor
from firmware_export.tflite.model import Model
from firmware_export.tflite.offline_metadata import ONLINE_PLANNED, with_offsets

ALIGNMENT = interpreters.ARENA_STEP
"""Bytes: TFLM rounds sizes up to this before it plans (`MicroArenaBufferAlignment`)."""

_NEVER_USED = -1  # TFLM's kUninitializedLifetime
_TRIALS = 1000  # a hundred tensors take a second or two; graphs that reach the lower bound take none
_SEED = 0


@dataclass(frozen=True)
class Block:
    """Memory that is needed from operator `first` to operator `last`, both included; `size` in bytes."""

    first: int
    last: int
    size: int


@dataclass(frozen=True)
class Plan:
    """Where each tensor lies.

    Attributes:
        offsets: bytes from the start of the arena, one for each tensor of the graph, multiples of 16; −1 for constants,
            variables (which must outlive an inference) and tensors of no fixed size.
        peak_bytes: what all planned tensors need together.
        lower_bound_bytes: the most that is alive at any one operator; no plan can need less.
    """

    offsets: tuple[int, ...]
    peak_bytes: int
    lower_bound_bytes: int


def plan(model: Model) -> Plan:
    """Pack a model's activations as tightly as a short search finds; the same model always gives the same plan.

    Args:
        model: one with one subgraph. A plan it already has is not looked at.

    Raises:
        UserError: several subgraphs.
    """
    graph = model.graph
    blocks = _blocks(graph)
    placed = place(list(blocks.values()))
    offsets = [ONLINE_PLANNED] * len(graph.tensors)
    for index, offset in zip(blocks, placed, strict=True):
        offsets[index] = offset
    return Plan(tuple(offsets), peak(list(blocks.values()), placed), lower_bound(list(blocks.values())))


def with_offline_plan(model: Model) -> Model:
    """The same model with `plan`'s offsets as metadata, in place of any it had.

    Args:
        model: one with one subgraph.

    Raises:
        UserError: several subgraphs.
    """
    return with_offsets(model, plan(model).offsets)


def place(blocks: Sequence[Block]) -> list[int]:
    """Offsets at which blocks that are needed at the same time do not overlap.

    First fit in several orders, among them the given one and TFLM's own, so that the result is never worse than
    either. Then the best order is changed at random, a block on the peak moved forward, and kept if it became no worse
    (as the hill climbing of Arm's Vela does); fixed seed. Stops where the lower bound is reached.

    Args:
        blocks: what to place; sizes are rounded up to 16 bytes.

    Returns:
        Bytes, one for each block, multiples of 16.
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
    """The most bytes, in blocks rounded up to 16, that are needed at any one operator."""
    # The sum only rises where a block begins.
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
    # TFLM sorts stably, largest first, a list that it has filled from the back.
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
        # Moving only what lies on the peak would never rearrange what lies below it.
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
    """What TFLM's planner would be given, by tensor index; as `AllocationInfoBuilder::MarkAllocationLifetimes`."""
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
    """First and last use by tensor index: 0 is before the first operator, n the n-th of them."""
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
    except TypeError:  # strings, resources and half bytes: TFLM places these itself
        return 0
