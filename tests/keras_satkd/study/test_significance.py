from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_satkd.study import significance


@given(arrays(bool, st.integers(0, 40)))
def test_packed_and_unpacked(correct):
    assert np.array_equal(significance.unpacked(significance.packed(correct), len(correct)), correct)


@given(arrays(bool, (2, 30)))
def test_mcnemar_is_the_exact_binomial_test(correct):
    """Both tails of the binomial distribution, summed by hand."""
    only_first, only_second = (int((correct[at] & ~correct[1 - at]).sum()) for at in (0, 1))
    trials, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(comb(trials, count) for count in range(fewer + 1)) / 2**trials
    assert significance.mcnemar(*correct) == pytest.approx(min(1.0, 2 * tail))
    assert significance.mcnemar(*correct[::-1]) == pytest.approx(significance.mcnemar(*correct))


def result(row: str, seed: int, correct: list[bool], split: str = "a") -> dict:
    return {
        "row": row,
        "seed": seed,
        "images": len(correct),
        "accuracy": float(np.mean(correct)),
        "correct": significance.packed(np.array(correct)),
        "split_sha256": split,
    }


def test_seeds_are_compared_one_by_one():
    base, better = [False] * 8 + [True] * 2, [True] * 10
    [table] = significance.tables(
        [
            result("none", 0, base),
            result("none", 1, base),
            result("KL", 0, better),
            result("KL", 1, base),
            result("KL", 2, better),
            result("other images", 0, better, split="b"),
            {"row": "not told", "seed": 0},
            result("DKD", 0, base),
        ],
        {"DKD": "KL", "none": "none"},
    )
    assert table.splitlines()[2:] == ["| KL | none | +40.00 | 0.008 / 1.000 |", "| DKD | KL | -80.00 | 0.008 |"]


def test_nothing_to_compare():
    assert not list(significance.tables([result("none", 0, [True]), {"row": "KL", "seed": 0}], {}))
