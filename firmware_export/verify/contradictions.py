"""What labelled images say against how a model is fed and read: its input range, its order of colors and of classes.

Each is told only where chance would look as good less often than once in `1 / CHANCE` times.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

CHANCE = 1e-4
"""Another input or order is told if chance would look as good less often than this."""
_IMAGES = 256
_GOOD = 0.95
"""A model with more right than this gets its images as it should."""
_LEAST_AGREEMENT = 0.5
"""An untrained model also agrees better in some other order of classes, but not with more of the labels than this."""

Answers = Callable[[str, bool], np.ndarray]
"""From an input range, and whether blue comes before red, to a model's answers, int [N]: the highest output."""


@dataclass(frozen=True)
class OtherInput:
    """An input under which a model answers clearly better than as it is fed.

    Attributes:
        input_range: one of those that were tried.
        is_reversed: whether blue comes before red.
        said: both accuracies, in words: "has … right with …, and … with …".
    """

    input_range: str
    is_reversed: bool
    said: str


def few(count: int) -> np.ndarray:
    """The positions of some of `count` images, spread evenly: int [at most 256]."""
    return np.linspace(0, count - 1, min(count, _IMAGES)).astype(int)


def other_input(
    answers: Answers, labels: np.ndarray, given: str, ranges: Sequence[str], channels: int
) -> OtherInput | None:
    """The best input among some ranges, with blue before red too, if it is clearly better than the given one.

    Nor must the given input be better with the classes in another order (`other_order`).

    Args:
        answers: tries an input on labelled images, about as many as `few` chooses.
        labels: int [N] of these images.
        given: the range with which the model is fed.
        ranges: those that the model may have been trained with.
        channels: of the images; colors have an order if there are three.
    """
    as_fed = answers(given, False)
    best = right = as_fed == labels
    if right.mean() > _GOOD:
        return None
    found = (given, False)
    for is_reversed in (False, True) if channels == 3 else (False,):
        for name in dict.fromkeys((given, *ranges)):
            if (name, is_reversed) == (given, False):
                continue
            tried = answers(name, is_reversed) == labels
            if tried.sum() > best.sum():
                best, found = tried, (name, is_reversed)
    reordered = _reordered(as_fed, labels)
    if sum(reordered.values()) > best.sum():
        return None
    if not _is_clearly_better(int((best & ~right).sum()), int((right & ~best).sum())):
        return None
    name, is_reversed = found
    return OtherInput(
        name,
        is_reversed,
        f"has {right.mean():.1%} of {len(right)} labelled images right with input range {given}, and "
        f"{best.mean():.1%} with {name}{' and blue before red' if is_reversed else ''}",
    )


def other_order(answers: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> str | None:
    """The order of the labelled classes that agrees best, in words, if it is clearly better than the given one.

    Args:
        answers: int [N], the output with the highest value.
        labels: int [N] in 0..C-1.
        class_names: C of them, in the order of the outputs.
    """
    agreeing = _reordered(answers, labels)
    moved = {(output, found): count for (output, found), count in agreeing.items() if output != found}
    lost = int(sum(((answers == output) & (labels == output)).sum() for output, _ in moved))
    best = sum(agreeing.values()) / len(labels)
    if best < _LEAST_AGREEMENT or not _is_clearly_better(sum(moved.values()), lost):
        return None
    shown = ", ".join(f"{class_names[output]!r} means {class_names[found]!r}" for output, found in list(moved)[:3])
    return (
        f"seems to have its classes in another order: {(answers == labels).mean():.1%} of {len(labels)} labelled "
        f"images are right, and {best:.1%} if {shown}{', …' if len(moved) > 3 else ''}"
    )


def _reordered(answers: np.ndarray, labels: np.ndarray) -> dict[tuple[int, int], int]:
    """The order of the labelled classes that agrees best: (output, its class) → images that agree.

    Nothing is known of classes without labels, so none is exchanged with them.
    """
    from scipy.optimize import linear_sum_assignment

    known, places = np.unique(labels, return_inverse=True)
    confusion = np.array([np.bincount(places[answers == output], minlength=len(known)) for output in known])
    pairs = zip(*linear_sum_assignment(confusion, maximize=True), strict=True)
    return {(int(known[output]), int(known[found])): int(confusion[output, found]) for output, found in pairs}


def _is_clearly_better(others: int, given: int) -> bool:
    """Whether what others get right and the given does not is more than chance, and the same the other way round."""
    from scipy.stats import binomtest

    return others > given and binomtest(others, others + given).pvalue < CHANCE
