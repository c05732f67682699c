import numpy as np
import pytest

from firmware_export.tflite.input_range import INPUT_RANGES
from firmware_export.verify import contradictions

ALL = tuple(INPUT_RANGES)


def _right(**shares):
    """The first images, so many with each input (`range` or `range_reversed`), and none with others."""
    counts = {(name.removesuffix("_reversed"), name.endswith("_reversed")): count for name, count in shares.items()}
    return lambda name, is_reversed: _answers(np.arange(100) < counts.get((name.replace("..", "_"), is_reversed), 0))


LABELS = np.arange(100) % 5


def _answers(is_right):
    """Answers that are right, or one that is none of the classes."""
    return np.where(is_right, LABELS, 5)


def test_a_few_are_spread_over_all():
    assert contradictions.few(5).tolist() == [0, 1, 2, 3, 4]
    chosen = contradictions.few(1000)
    assert (len(chosen), chosen[0], chosen[-1]) == (256, 0, 999)


def test_a_good_model_is_asked_once():
    asked = []
    assert (
        contradictions.other_input(
            lambda *given: asked.append(given) or _answers(np.arange(100) < 96), LABELS, "0..1", ALL, 3
        )
        is None
    )
    assert asked == [("0..1", False)]


def test_the_best_input_is_named_with_both_accuracies():
    found = contradictions.other_input(
        _right(**{"0_1": 10, "imagenet": 50, "0_255_reversed": 90}), LABELS, "0..1", ALL, 3
    )
    assert (found.input_range, found.is_reversed) == ("0..255", True)
    assert found.said == (
        "has 10.0% of 100 labelled images right with input range 0..1, and 90.0% with 0..255 and blue before red"
    )


def test_bands_that_are_no_colors_have_no_order():
    asked = []

    def right(name, is_reversed):
        asked.append((name, is_reversed))
        return _answers(np.arange(100) < (50 if is_reversed else 10))

    assert contradictions.other_input(right, LABELS, "0..1", ALL, 4) is None
    assert sorted(asked) == sorted((name, False) for name in INPUT_RANGES)


@pytest.mark.parametrize(("gained", "is_told"), [(14, False), (15, True)])
def test_chance_is_one_in_ten_thousand(gained, is_told):
    # Two-sided sign test without losses: 2 · 0.5^14 = 1.2e-4, 2 · 0.5^15 = 6e-5.
    found = contradictions.other_input(_right(**{"0_1": 40, "-1_1": 40 + gained}), LABELS, "0..1", ALL, 1)
    assert (found is not None) == is_told


def test_ranges_that_the_file_rules_out_are_not_tried():
    right = _right(**{"0_1": 10, "imagenet": 90, "0_1_reversed": 60})
    found = contradictions.other_input(right, LABELS, "0..1", ("0..1",), 3)
    assert (found.input_range, found.is_reversed) == ("0..1", True)
    found = contradictions.other_input(_right(**{"-1_1": 10, "0_1": 60}), LABELS, "-1..1", ("0..1",), 3)
    assert (found.input_range, found.is_reversed) == ("0..1", False)


def test_exchanged_classes_are_no_other_input():
    def answers(name, is_reversed):
        return (LABELS + 1) % 5 if name == "0..1" else np.where(np.arange(100) < 90, LABELS, 5)

    assert contradictions.other_input(answers, LABELS, "0..1", ALL, 1) is None  # the next order has all of them right


def test_losses_weigh_against_gains():
    def right(name, is_reversed):
        return _answers(np.arange(100) < 45 if name == "-1..1" else np.arange(100) >= 60)

    assert contradictions.other_input(right, LABELS, "0..1", ALL, 1) is None  # 45 gained, 40 lost


def test_exchanged_classes_are_named():
    labels = np.arange(200) % 4
    answers = np.array([0, 2, 1, 3])[labels]
    said = contradictions.other_order(answers, labels, ("sea", "ice", "sand", "snow"))
    assert said == (
        "seems to have its classes in another order: 50.0% of 200 labelled images are right, and 100.0% if 'ice' means "
        "'sand', 'sand' means 'ice'"
    )


def test_nothing_is_exchanged_with_classes_without_labels():
    labels = np.repeat([0, 1], 100)
    answers = np.where(labels == 0, 2, 1)  # all of the first class are taken for one that has no labels
    assert contradictions.other_order(answers, labels, "abc") is None


def test_neither_the_right_order_nor_chance_is_doubted():
    labels = np.arange(200) % 4
    assert contradictions.other_order(labels, labels, "abcd") is None
    answers = np.random.default_rng(0).integers(0, 4, 200)
    assert contradictions.other_order(answers, labels, "abcd") is None
    assert contradictions.other_order(np.zeros(200, int), labels, "abcd") is None
