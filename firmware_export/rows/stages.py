"""Divide a network into stages: the layers of a stage run to their end before those of the next stage begin.

Between two stages, tensors are kept whole; within a stage, rings keep rows. Rings of different stages can share memory,
so stages save memory where late layers have small tensors. The best division follows from dynamic programming, with the
depths of a network without stages, which are enough for every stage.
"""

from collections.abc import Sequence
from itertools import pairwise

from firmware_export.rows.layers import Network
from firmware_export.rows.ring import Ring

_WORD = 4


def divide(network: Network, rings: Sequence[Ring]) -> tuple[int, ...]:
    """Choose the stages for which the largest one needs the least memory, and then the fewest.

    Args:
        network: of the rings.
        rings: with depths that are enough without stages.

    Returns:
        The first layer of each stage but the first, counted from 1; the first stage has the image.
    """
    number = len(network.layers) + 1
    costs = _Costs(network, rings)
    # (bytes, stages, start of the last stage) for the layers before each.
    best: list[tuple[int, int, int]] = [(0, 0, 0)]
    for end in range(1, number + 1):
        found = ((max(best[start][0], costs.of(start, end)), best[start][1] + 1, start) for start in range(end))
        best.append(min(found))
    cuts = [number]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][2])
    return tuple(cut for cut in reversed(cuts) if 0 < cut < number)


class _Costs:
    """The memory that a stage needs, approximately: rows that are read at once share memory."""

    def __init__(self, network: Network, rings: Sequence[Ring]) -> None:
        number = len(network.layers) + 1
        writer = {network.input: 0, **{layer.output: i for i, layer in enumerate(network.layers, start=1)}}
        last = {tensor: number if tensor in network.outputs else 0 for tensor in writer}
        for i, layer in enumerate(network.layers, start=1):
            for tensor in layer.inputs:
                last[tensor] = max(last[tensor], i)
        self.rings = [
            (min(writer[t] for t in ring.tensors), max(last[t] for t in ring.tensors), ring) for ring in rings
        ]
        self.sums = [0, *(_WORD * layer.sums for layer in network.layers)]
        self.network = network

    def of(self, start: int, end: int) -> int:
        """The bytes of a stage of the layers from `start` to before `end`, with all that it leaves for others."""
        total = sum(self.sums[start:end])
        passing: dict[int, int] = {}
        for first, last, ring in self.rings:
            if first >= end or last < start:
                continue
            if first < start or last >= end:
                total += ring.row_bytes * ring.tensor.height
            elif ring.depth > 1 or ring.pad_left or ring.pad_right or last > first + 1:
                total += ring.bytes
            else:
                passing[first] = ring.bytes
        alone = max(passing.values(), default=0)
        together = (a + b for (i, a), (j, b) in pairwise(sorted(passing.items())) if j == i + 1)
        return total + max(alone, *together, 0)
