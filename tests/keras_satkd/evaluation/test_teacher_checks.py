import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from keras_satkd.evaluation.calibration import fit_temperature
from keras_satkd.evaluation.teacher_checks import check_rows, check_teacher

NAMES = ("Forest", "Lake", "River", "Snow")


def logits_of(predictions, confidence=2.0):
    return confidence * np.eye(len(NAMES))[np.asarray(predictions)]


def labels_of(images, seed=0):
    return np.random.default_rng(seed).integers(0, len(NAMES), images)


def mistaken(labels, share, seed=1):
    """Predictions of which a share is wrong."""
    generator = np.random.default_rng(seed)
    wrong = generator.random(len(labels)) < share
    return np.where(wrong, (labels + generator.integers(1, len(NAMES), len(labels))) % len(NAMES), labels)


def check(predictions, labels, *, accepts_weak=False, confidence=2.0):
    logits = logits_of(predictions, confidence)
    check_teacher("one", logits, labels, NAMES, fit_temperature(logits, labels), accepts_weak=accepts_weak)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5])
def test_a_teacher_that_knows_the_classes_passes(share, caplog):
    labels = labels_of(400)
    check(mistaken(labels, share), labels)
    assert not caplog.records


def test_a_teacher_that_is_always_right_passes_whatever_the_number_of_images():
    check([0, 1, 2, 3], np.array([0, 1, 2, 3]), confidence=0.5)


@settings(deadline=None)
@given(st.integers(0, 2**31))
def test_chance_is_refused(seed):
    labels = labels_of(300, seed)
    guesses = labels_of(300, seed + 1)
    with pytest.raises(UserError, match=r"teacher one has .* check its input range .*, or use --teachers\.accept-weak"):
        check(guesses, labels)


def test_always_the_most_frequent_class_is_refused():
    labels = np.repeat([0, 1, 2, 3], [70, 10, 10, 10])
    with pytest.raises(UserError, match=r"has 70\.0 % .* right, and always .* class has 70\.0 %"):
        check(np.zeros(100, int), labels)


@settings(deadline=None)
@given(st.permutations(range(4)).filter(lambda order: list(order) != [0, 1, 2, 3]))
def test_another_order_of_classes_is_named(order):
    labels = labels_of(400)
    wanted = next(output for output in range(4) if order[output] != output)
    with pytest.raises(UserError, match="classes in another order") as raised:
        check(np.argsort(order)[mistaken(labels, 0.1)], labels)
    assert f"{NAMES[wanted]!r} means {NAMES[order[wanted]]!r}" in str(raised.value)


def test_two_swapped_classes_among_many_are_named():
    names = tuple(f"class {i:02}" for i in range(25))
    labels = np.repeat(np.arange(25), 12)
    predictions = np.select([labels == 3, labels == 7], [7, 3], labels)
    logits = 2.0 * np.eye(25)[predictions]
    with pytest.raises(UserError, match=r"92\.0% of 300 labelled images .* 100\.0% if 'class 03' means"):
        check_teacher("one", logits, labels, names, 1.0, accepts_weak=False)


def test_rows_of_other_training_images_are_refused():
    labels = labels_of(400)
    check_rows("table", logits_of(mistaken(labels, 0.1)), labels, NAMES, accepts_weak=False)
    with pytest.raises(UserError, match=r"teacher table has .* of the training images right"):
        check_rows("table", logits_of(np.random.default_rng(5).permutation(labels)), labels, NAMES, accepts_weak=False)


def test_training_images_without_a_label_are_not_judged():
    labels = labels_of(400)
    predictions = labels.copy()
    labels[::2] = -1
    predictions[::2] = 3
    check_rows("table", logits_of(predictions), labels, NAMES, accepts_weak=False)
    check_rows("table", logits_of(predictions), np.full(400, -1), NAMES, accepts_weak=False)


def test_confused_classes_are_no_other_order():
    labels = labels_of(400)
    predictions = np.where(labels == 2, 1, labels)  # every river is taken for a lake
    check(predictions, labels)


def test_a_weak_teacher_can_be_accepted(caplog):
    labels = labels_of(300)
    with caplog.at_level(logging.WARNING):
        check(labels_of(300, 9), labels, accepts_weak=True)
    assert "always naming the most frequent class" in caplog.records[0].getMessage()


def test_a_temperature_at_its_bound_is_a_warning(caplog):
    labels = labels_of(400)
    check(mistaken(labels, 0.3), labels, confidence=1e4)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["teacher one"]
    assert "calibration temperature is 20" in caplog.text
