"""The parts of a split when groups of images must stay together.

Each part shall hold its fraction of every class. With `n_pc` images of class c in part p, `N_c` in all, and the
fraction `f_p`, the parts minimize first the number of parts without a class, then

    Σ_p Σ_c (n_pc / N_c − f_p)².

Finding the minimum is NP-hard. Groups are assigned one after the other, then moved and exchanged as long as this lowers
the sum.
"""

from collections.abc import Sequence

import numpy as np

_MOST_EXCHANGED = 400
"""Largest number of groups that are also exchanged in pairs; the parts of more groups are near the fractions anyhow."""

_PASSES = 20
_SMALLEST = 1e-9


def divide(counts: np.ndarray, fractions: Sequence[float]) -> np.ndarray:
    """The part of each group.

    Args:
        counts: images by group and class, int [G, C]; each class has images.
        fractions: of the parts, [P], of sum 1.

    Returns:
        int [G] in 0..P-1. It depends on the order of the groups.
    """
    totals = counts.sum(axis=0)
    shares = counts / totals
    excess = np.repeat(-np.array(fractions, float)[:, None], counts.shape[1], axis=1)
    parts = np.zeros(len(counts), np.intp)
    for group, share in enumerate(shares):
        parts[group] = int(np.argmin(excess @ share))
        excess[parts[group]] += share
    state = _State(counts, shares, excess, parts)
    for _ in range(_PASSES):
        if state.is_nearest() or not any([state.improve(group) for group in range(len(counts))]):
            break
    return state.parts


class _State:
    def __init__(self, counts: np.ndarray, shares: np.ndarray, excess: np.ndarray, parts: np.ndarray) -> None:
        self.counts, self.shares, self.excess, self.parts = counts, shares, excess, parts
        self.images = np.stack([counts[parts == part].sum(axis=0) for part in range(len(excess))])

    def is_nearest(self) -> bool:
        """Whether each class is in each part, and no part is off by a whole image of any class."""
        return bool((self.images > 0).all() and (np.abs(self.excess) * self.counts.sum(axis=0) < 1).all())

    def improve(self, group: int) -> bool:
        """Move a group to another part, or exchange it with a group there, whichever is best; False if neither is."""
        here = self.parts[group]
        best, change = (0.0, -_SMALLEST), None
        for there in range(len(self.excess)):
            if there == here:
                continue
            others = np.flatnonzero(self.parts == there)[: None if len(self.counts) <= _MOST_EXCHANGED else 0]
            # The first candidate takes nothing in return.
            back = np.vstack([np.zeros_like(self.shares[:1]), self.shares[others]])
            back_images = np.vstack([np.zeros_like(self.counts[:1]), self.counts[others]])
            step, images = back - self.shares[group], back_images - self.counts[group]
            cost = 2 * step @ (self.excess[here] - self.excess[there]) + 2 * (step * step).sum(axis=1)
            empty = (self.images[here] + images == 0).sum(axis=1) + (self.images[there] - images == 0).sum(axis=1)
            empty -= (self.images[[here, there]] == 0).sum()
            first = int(np.lexsort((cost, empty))[0])
            if (empty[first], cost[first]) < best:
                best = empty[first], cost[first]
                change = there, step[first], images[first], None if first == 0 else others[first - 1]
        if change is None:
            return False
        there, step, images, other = change
        for part, sign in ((here, 1), (there, -1)):
            self.excess[part] += sign * step
            self.images[part] += sign * images
        self.parts[group] = there
        if other is not None:
            self.parts[other] = here
        return True
