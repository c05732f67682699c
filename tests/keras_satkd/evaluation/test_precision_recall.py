import json

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score

from keras_satkd.evaluation import precision_recall

NAMES = ("calm", "fire")


def drawn(images, share, seed, rarer=1):
    """int8 codes [N, 2] of a model that finds most images of the rarer class, and labels."""
    random = np.random.default_rng(seed)
    labels = np.where(random.random(images) < share, rarer, 1 - rarer)
    codes = random.normal(0, 15, (images, 2)) + np.where(labels == rarer, 15, -15)[:, None] * np.eye(2)[rarer]
    return codes.clip(-128, 127).astype(np.int8), labels


@pytest.mark.parametrize("rarer", [0, 1])
def test_the_threshold_is_the_best_one_on_validation_images(rarer):
    validation, test = drawn(500, 0.05, 0, rarer), drawn(800, 0.05, 1, rarer)
    found = precision_recall.evaluate(lambda codes: codes, validation, test, NAMES, rarer)
    assert json.loads(json.dumps(found)) == found
    assert (found["class"], found["other"]) == (NAMES[rarer], NAMES[1 - rarer])

    def answers(codes, threshold):
        return codes[:, rarer].astype(int) - codes[:, 1 - rarer] >= threshold

    scores = {at: f1_score(validation[1] == rarer, answers(validation[0], at)) for at in range(-255, 256)}
    assert scores[found["threshold"]] == max(scores.values())
    expected = answers(test[0], found["threshold"])
    assert found["at_threshold"]["precision"] == pytest.approx(precision_score(test[1] == rarer, expected))
    assert found["at_threshold"]["f1"] == pytest.approx(f1_score(test[1] == rarer, expected))
    highest = test[0].argmax(axis=1) == rarer
    assert found["at_highest"]["f1"] == pytest.approx(f1_score(test[1] == rarer, highest))


def test_a_long_curve_is_shortened_and_keeps_its_ends():
    found = precision_recall.evaluate(lambda codes: codes, drawn(3000, 0.1, 0), drawn(3000, 0.1, 1), NAMES, 1)
    assert len(found["precision"]) == len(found["recall"]) <= 256
    assert (found["precision"][-1], found["recall"][-1], found["recall"][0]) == (1, 0, 1)


def test_a_model_that_finds_nothing_has_no_division_by_zero():
    codes, labels = np.zeros((20, 2), np.int8), np.arange(20) % 10 == 0
    found = precision_recall.evaluate(lambda given: given, (codes, labels), (codes, labels), NAMES, 1)
    headings, rows = precision_recall.table(found)
    assert headings == ["fire %", "precision", "recall", "F1"]
    assert rows[0] == ["highest output", "0.00", "0.00", "0.00"]
    assert rows[1][0] == f"threshold {found['threshold']}"
