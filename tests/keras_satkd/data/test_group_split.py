import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keras_satkd.data.group_split import divide

FRACTIONS = (0.7, 0.1, 0.2)


def cost(counts, parts, fractions=FRACTIONS):
    """The two numbers that `divide` minimizes."""
    images = np.stack([counts[parts == part].sum(axis=0) for part in range(len(fractions))])
    shares = images / counts.sum(axis=0)
    return (images == 0).sum(), ((shares - np.array(fractions)[:, None]) ** 2).sum()


def made(groups, classes, seed):
    counts = np.random.default_rng(seed).integers(0, 20, (groups, classes))
    counts[:3] += 1
    return counts


@given(st.integers(4, 7), st.integers(1, 4), st.integers(0, 999))
def test_no_move_and_no_exchange_would_be_better_by_an_image(groups, classes, seed):
    counts = made(groups, classes, seed)
    parts = divide(counts, FRACTIONS)
    found = cost(counts, parts)
    images = np.stack([counts[parts == part].sum(axis=0) for part in range(3)])
    if images.all() and (np.abs(images - np.outer(FRACTIONS, counts.sum(axis=0))) < 1).all():
        return
    for group, part in itertools.product(range(groups), range(3)):
        moved = parts.copy()
        moved[group] = part
        assert cost(counts, moved)[0] > found[0] or cost(counts, moved)[1] > found[1] - 1e-6
    for one, other in itertools.combinations(range(groups), 2):
        moved = parts.copy()
        moved[[one, other]] = parts[[other, one]]
        assert cost(counts, moved)[0] > found[0] or cost(counts, moved)[1] > found[1] - 1e-6


def test_most_divisions_of_few_groups_are_the_best_ones():
    best = []
    for seed in range(20):
        counts = made(6, 3, seed)
        found = cost(counts, divide(counts, FRACTIONS))
        least = min(cost(counts, np.array(parts)) for parts in itertools.product(range(3), repeat=6))
        assert found[0] == least[0]
        best.append(found[1] < least[1] + 0.02)
    assert sum(best) >= 16


def test_groups_of_one_image_give_the_fractions():
    counts = np.eye(4, dtype=int)[np.repeat(np.arange(4), 100)]
    parts = divide(counts, FRACTIONS)
    for part, fraction in enumerate(FRACTIONS):
        assert (np.abs(counts[parts == part].sum(axis=0) - 100 * fraction) <= 1).all()


def test_many_groups_of_many_classes_are_divided_quickly():
    counts = np.random.default_rng(0).poisson(0.05, (3000, 200))
    parts = divide(counts, FRACTIONS)
    missing, squares = cost(counts, parts)
    assert missing == 0
    assert squares / (3 * 200) < 1e-3
