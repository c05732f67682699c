"""Divide a network into stages: the layers of a stage run to their end before those of the next stage begin.

Between two stages, tensors are kept whole; within a stage, rings keep rows. Rings of different stages can share memory,
so stages save memory where late layers have small tensors. The best division follows from dynamic programming, with
estimates of the memory that stages need, from the depths of a network without stages, which are enough for every stage.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from firmware_export.rows.layers import Network
from firmware_export.rows.ring import Ring

_WORD = 4


def divide(costs: "Costs", known: Mapping[tuple[int, int], int]) -> tuple[int, ...]:
    """Choose the stages for which the largest one needs the least memory, and then the fewest.

    Args:
        costs: of the network's stages.
        known: the bytes of stages, by their first layer and the first one after them, that replace estimates.

    Returns:
        The first layer of each stage but the first, counted from 1; the first stage has the image.
    """
    number = costs.number
    starts = [start for start in range(number) if start not in costs.inseparable]
    # (bytes, stages, start of the last stage) for the layers before each.
    best: list[tuple[int, int, int]] = [(0, 0, 0)]
    for end in range(1, number + 1):
        found = [
            (max(best[start][0], known.get((start, end)) or costs.of(start, end)), best[start][1] + 1, start)
            for start in starts
            if start < end
        ]
        best.append(min(found))
    cuts = [number]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][2])
    return tuple(cut for cut in reversed(cuts) if 0 < cut < number)


class Costs:
    """Estimates of the memory that a stage needs.

    Rows that are read at once share memory, and so do tensors that the stage reads and tensors that it writes.

    Args:
        network: of the rings.
        rings: with depths that are enough without stages.

    Attributes:
        number: of layers, with the source of the image.
        inseparable: layers with which no stage can begin.
    """

    def __init__(self, network: Network, rings: Sequence[Ring]) -> None:
        self.number = number = len(network.layers) + 1
        writer = {network.input: 0, **{layer.output: i for i, layer in enumerate(network.layers, start=1)}}
        last = {tensor: number if tensor in network.outputs else 0 for tensor in writer}
        for i, layer in enumerate(network.layers, start=1):
            for tensor in layer.inputs:
                last[tensor] = max(last[tensor], i)
        self._rings = [
            (min(writer[t] for t in ring.tensors), max(last[t] for t in ring.tensors), ring) for ring in rings
        ]
        self._sums = [0, *(_WORD * layer.sums for layer in network.layers)]
        # A layer that overwrites a tensor waits for the other readers of its rows: they belong to its stage or before.
        self.inseparable = {
            start
            for ring in rings
            for overwritten, written in pairwise(ring.tensors)
            for start in range(writer[written] + 1, last[overwritten] + 1)
        }
        self._found: dict[tuple[int, int], int] = {}

    def of(self, start: int, end: int) -> int:
        """The bytes of a stage of the layers from `start` to before `end`, with all that it leaves for others."""
        if (start, end) not in self._found:
            self._found[start, end] = self._estimated(start, end)
        return self._found[start, end]

    def _estimated(self, start: int, end: int) -> int:
        total = sum(self._sums[start:end])
        read = written = 0  # whole tensors without padding that only this stage reads, and that it writes for others
        passing: dict[int, int] = {}
        for first, last, ring in self._rings:
            whole = ring.row_bytes * ring.tensor.height
            if first >= end or last < start:
                continue
            if first < start and last < end and not ring.is_padded:
                read += whole
            elif start <= first and last >= end and not ring.is_padded:
                written += whole
            elif first < start or last >= end:
                total += whole
            elif ring.depth > 1 or ring.is_padded or last > first + 1:
                total += ring.bytes
            else:
                passing[first] = ring.bytes
        alone = max(passing.values(), default=0)
        together = (a + b for (i, a), (j, b) in pairwise(sorted(passing.items())) if j == i + 1)
        return total + max(read, written) + max(alone, *together, 0)
