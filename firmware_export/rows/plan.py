"""Plan the memory and the schedule: how many rows of each tensor are kept, and in which order the layers run.

Ring buffers hold the rows. Row y of a tensor is in slot y mod depth until every layer that reads it no longer needs it.
A layer can run when its input rows are available and its output slot is free. The next row of the image is read when no
layer can run. Whether a set of depths suffices does not depend on which of several ready layers runs first (layers
connected by rings form a Kahn process network). The planner therefore simulates the network to search for the smallest
depths, and records the order as a table.

An elementwise layer may overwrite the row that it reads, once every other reader of this row is done with it; its input
then shares the ring of its output.

Where it saves memory, the network is divided into stages (`stages`), and rings that are never needed at the same time
share memory (`arrange`).
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from firmware_export.rows.layers import Layer, Network, Tensor
from firmware_export.rows.ring import Ring

SOURCE = 0
"""Schedule entry for the next row of the image; the entry of layer i is i + 1."""


@dataclass(frozen=True)
class Plan:
    """The memory for rows, and the order of steps.

    Attributes:
        network: the planned network.
        rings: in the order in which they are first written.
        schedule: `SOURCE` for a row of the image, i + 1 for a step of layer i.
    """

    network: Network
    rings: tuple[Ring, ...]
    schedule: tuple[int, ...]

    @cached_property
    def ring_of(self) -> dict[Tensor, Ring]:
        """The ring of each tensor."""
        return {tensor: ring for ring in self.rings for tensor in ring.tensors}

    @property
    def ring_bytes(self) -> int:
        """The size of all rings."""
        return sum(ring.bytes for ring in self.rings)


def plan(network: Network, *, shares_padding: bool = True) -> Plan:
    """Search for the smallest rings, and their schedule, without stages. The search is deterministic.

    An elementwise layer overwrites the input that saves the most memory. The search starts from sufficient depths and
    shortens each ring row by row, longest rows first, as long as the network still runs.

    Args:
        network: to plan.
        shares_padding: whether two rows of a ring may share the padding between them.
    """
    shared: dict[int, Tensor] = {}
    best = _search(network, _rings(network, shared, shares_padding))
    assert best is not None  # every network runs if no layer waits for others to have read its input
    for position, layer in enumerate(network.layers):
        for tensor in _replaceable(network, position, layer):
            tried = _search(network, _rings(network, {**shared, position: tensor}, shares_padding), known=best.rings)
            if tried and tried.ring_bytes < best.ring_bytes:
                best, chosen = tried, tensor
                shared = {**shared, position: chosen}
    return _search(network, best.rings) or best


def in_stages(planned: Plan, cuts: Sequence[int]) -> Plan:
    """The same network in stages.

    Args:
        planned: without stages.
        cuts: what `stages.divide` finds.
    """
    found = _search(planned.network, planned.rings, cuts)
    assert found is not None
    return found


def _replaceable(network: Network, position: int, layer: Layer) -> list[Tensor]:
    """Inputs of an elementwise layer that it reads once, and whose padding no other layer reads; the oldest first.

    Of a residual block, this is the input of the block. Its whole tensor is kept if the block is a stage.
    """
    if not layer.is_elementwise:
        return []
    outputs = [before.output for before in network.layers[:position]]
    return [
        tensor
        for tensor in outputs
        if tensor in layer.inputs
        and tensor not in network.outputs
        and tensor.shape == layer.output.shape
        and _readers(network, tensor).count(position) == 1
        and all(network.layers[i].pads == (0, 0) for i in _readers(network, tensor))
    ]


def _readers(network: Network, tensor: Tensor) -> list[int]:
    return [i for i, layer in enumerate(network.layers) for read in layer.inputs if read == tensor]


def _search(
    network: Network, rings: Sequence[Ring], cuts: Sequence[int] = (), known: Sequence[Ring] = ()
) -> Plan | None:
    """The smallest depths, whatever those of `rings` are; None if layers wait for each other.

    Args:
        network: to plan.
        rings: without their depths.
        cuts: the first layers of all stages but the first.
        known: rings whose depths are tried first, and not shortened where `rings` has the same.
    """
    traffic = _Traffic(network, rings, cuts)
    depth_of = {ring.tensors: ring.depth for ring in known}
    limits = [depth_of.get(ring.tensors) for ring in rings]
    schedule, depths = traffic.run(limits)
    if schedule is None:
        return _search(network, rings, cuts) if known else None
    order = sorted((i for i, limit in enumerate(limits) if limit is None), key=lambda i: -rings[i].row_bytes)
    for ring in order:
        while depths[ring] > 1:
            fewer = [*depths[:ring], depths[ring] - 1, *depths[ring + 1 :]]
            shorter, _ = traffic.run(fewer)
            if shorter is None:
                break
            schedule, depths = shorter, fewer
    return Plan(network, tuple(replace(r, depth=d) for r, d in zip(rings, depths, strict=True)), tuple(schedule))


def _rings(network: Network, shared: dict[int, Tensor], shares_padding: bool) -> list[Ring]:
    groups: dict[Tensor, list[Tensor]] = {network.input: [network.input]}
    for position, layer in enumerate(network.layers):
        group = groups[shared[position]] if position in shared else []
        group.append(layer.output)
        groups[layer.output] = group
    unique = {id(group): group for group in groups.values()}.values()
    rings = []
    for group in unique:
        pads = [layer.pads for layer in network.layers if group[-1] in layer.inputs] or [(0, 0)]
        lefts, rights = zip(*pads, strict=True)
        rings.append(Ring(tuple(group), 0, max(lefts), max(rights), shares_padding))
    return rings


class _Traffic:
    """A simulation of the network on row numbers, to try many sets of depths.

    `cuts` are the first layers of all stages but the first, counted from 1.
    """

    def __init__(self, network: Network, rings: Sequence[Ring], cuts: Sequence[int] = ()) -> None:
        layers = network.layers
        index_of = {tensor: i for i, ring in enumerate(rings) for tensor in ring.tensors}
        writer_of = {network.input: SOURCE, **{layer.output: i for i, layer in enumerate(layers, start=1)}}
        height = network.input.height
        # Lists over the source and the layers; inner lists are by step, some with an entry for a layer that is done.
        self.steps = [height, *(layer.steps for layer in layers)]
        self.ends = [*cuts, len(self.steps)]
        self.begun = [list(range(1, height + 1)), *([layer.begun(s) for s in range(layer.steps)] for layer in layers)]
        self.finished = [
            [0, *range(1, height + 1)],
            *([0, *(layer.finished(s) for s in range(layer.steps))] for layer in layers),
        ]
        self.needs = [[], *([_needs(layer, i) for i in range(len(layer.inputs))] for layer in layers)]
        self.inputs = [[], *([writer_of[t] for t in layer.inputs] for layer in layers)]
        self.readers: list[list[int]] = [[] for _ in self.steps]
        for i, writers in enumerate(self.inputs):
            for writer in set(writers):
                self.readers[writer].append(i)
        self.ring = [index_of[network.input], *(index_of[layer.output] for layer in layers)]
        # A row is free once no reader of any tensor in its ring needs it.
        self.releasing: list[list[tuple[int, list[int]]]] = [[] for _ in rings]
        for i, layer in enumerate(layers, start=1):
            for position, tensor in enumerate(layer.inputs):
                self.releasing[index_of[tensor]].append((i, _oldest(layer, position)))
        self.kept = {index_of[tensor] for tensor in network.outputs}
        # A layer that overwrites its input always has a free slot, once the other readers of the row are done with it.
        self.in_place = [
            False,
            *(any(index_of[t] == self.ring[i] for t in layer.inputs) for i, layer in enumerate(layers, start=1)),
        ]
        self.overwritten = [
            [
                (reader, _oldest(layers[reader - 1], position))
                for own in (layers[i - 1].inputs if self.in_place[i] else ())
                if index_of[own] == self.ring[i]
                for reader, layer in enumerate(layers, start=1)
                for position, tensor in enumerate(layer.inputs)
                if tensor == own and reader != i
            ]
            for i in range(len(self.steps))
        ]
        self.writers = [
            [i for i, r in enumerate(self.ring) if r == ring and (not self.in_place[i] or self.overwritten[i])]
            for ring in range(len(rings))
        ]

    def run(self, depths: Sequence[int | None]) -> tuple[list[int] | None, list[int]]:
        """Run the network; among ready layers, the one nearest the output runs first.

        Args:
            depths: rows of each ring; None for unlimited.

        Returns:
            The schedule, or None if the network cannot finish; and the largest number of rows alive in each ring.
        """
        step = [0] * len(self.steps)
        most = [0] * len(depths)
        schedule: list[int] = []
        ends = iter(self.ends)
        end, left = 0, 0  # the layers of the stage, and how many of its steps are left
        waiting: list[int] = []
        queued = [False] * len(step)
        while waiting or left == 0:
            if left == 0:
                start, end = end, next(ends, 0)
                if not end:
                    break
                left = sum(self.steps[start:end])
                waiting = [-i for i in range(start, end)]
                heapq.heapify(waiting)
                queued = [start <= i < end for i in range(len(step))]
            i = -heapq.heappop(waiting)
            queued[i] = False
            if step[i] == self.steps[i] or not self._can_run(i, step, depths, most):
                continue
            step[i] += 1
            schedule.append(i)
            left -= 1
            freed = [w for writer in set(self.inputs[i]) for w in self.writers[self.ring[writer]]]
            for j in (i, *self.readers[i], *freed):
                if j < end and not queued[j]:
                    queued[j] = True
                    heapq.heappush(waiting, -j)
        return (schedule if step == self.steps else None), most

    def _can_run(self, i: int, step: list[int], depths: Sequence[int | None], most: list[int]) -> bool:
        now = step[i]
        for writer, needs in zip(self.inputs[i], self.needs[i], strict=True):
            if self.finished[writer][step[writer]] < needs[now]:
                return False
        if self.in_place[i]:
            return all(oldest[step[reader]] > now for reader, oldest in self.overwritten[i])
        ring = self.ring[i]
        oldest = 0 if ring in self.kept else min(oldest[step[r]] for r, oldest in self.releasing[ring])
        alive = self.begun[i][now] - oldest
        depth = depths[ring]
        if depth is not None and alive > depth:
            return False
        most[ring] = max(most[ring], alive, 1)
        return True


def _needs(layer: Layer, position: int) -> list[int]:
    """For each step, how many rows of an input it needs.

    A row that is only padding also waits for the first row: no layer runs before the image begins.
    """
    least = 1 if position == 0 else 0
    return [max(least, layer.reads_from(position, step).stop) for step in range(layer.steps)]


def _oldest(layer: Layer, position: int) -> list[int]:
    """For each step, the oldest row that it or a later step reads; one more entry, past the last row, for the end."""
    oldest = [layer.inputs[position].height]
    for step in reversed(range(layer.steps)):
        rows = layer.reads_from(position, step)
        oldest.append(min(oldest[-1], rows.start) if rows else oldest[-1])
    return oldest[::-1]
