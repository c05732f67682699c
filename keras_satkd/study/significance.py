"""Whether the difference of two students may be chance: McNemar's test on the same images."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from firmware_export.common.tables import markdown_table


def packed(correct: np.ndarray) -> str:
    """Which images were classified correctly, bool [N], as hexadecimal text of N / 4 digits, rounded up to bytes."""
    return np.packbits(correct).tobytes().hex()


def unpacked(text: str, images: int) -> np.ndarray:
    """What `packed` made text of: bool [images]."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8), count=images).astype(bool)


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """The exact two-sided McNemar test of two classifiers on the same images (McNemar 1947, Psychometrika 12).

    With b images that only the first one knows and c that only the second knows, chance alone would make b a binomial
    number of b + c trials with probability 1/2.

    Args:
        first: bool [N], which images the first classifier classifies correctly.
        second: bool [N], the same of the other one.

    Returns:
        The probability, in (0, 1], of a difference at least as large as |b - c| if neither were better.
    """
    from scipy.stats import binomtest

    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def tables(results: list[dict[str, Any]], against: Mapping[str, str]) -> Iterator[str]:
    """A Markdown table of each row's difference from another one, and McNemar's test for each seed that both have.

    Nothing if fewer than two rows tell which images were correct: results of earlier versions do not.

    Args:
        results: results of one student, in the order of the rows.
        against: the row that a row is compared with, if not the first one.
    """
    told = [result for result in results if "correct" in result]
    names = list(dict.fromkeys(result["row"] for result in told))
    if len(names) < 2:
        return
    by_seed = {(result["row"], result["seed"]): result for result in told}
    rows = []
    for name in names:
        other = against.get(name, names[0])
        pairs = [
            (by_seed[other, seed], result)
            for (row, seed), result in by_seed.items()
            if row == name != other and (other, seed) in by_seed
        ]
        pairs = [pair for pair in pairs if pair[0]["split_sha256"] == pair[1]["split_sha256"]]
        if pairs:
            gains = [100 * (found["accuracy"] - base["accuracy"]) for base, found in pairs]
            chances = [mcnemar(*(unpacked(each["correct"], each["images"]) for each in pair)) for pair in pairs]
            rows.append([name, other, f"{np.mean(gains):+.2f}", " / ".join(f"{chance:.3f}" for chance in chances)])
    if rows:
        yield markdown_table(["row", "against", "points", "McNemar's p, seed by seed"], rows)
