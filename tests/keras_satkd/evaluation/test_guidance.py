import json

import hypothesis
import numpy as np
from hypothesis import strategies as st

from firmware_export.verify.abstention import top_margins
from keras_satkd.evaluation import guidance

OUTPUTS = np.array([[10, 0], [0, 10], [30, 0], [0, 50]], np.int8)
LABELS = np.array([1, 1, 0, 0])
"""The student is wrong of the first image and of the last, of which it is surest."""
TEACHERS = {"good": np.array([True, True, True, False]), "bad": np.zeros(4, bool)}


def test_curves_by_hand():
    found = guidance.curves(OUTPUTS, LABELS, TEACHERS, threshold=30)
    assert (found["images"], found["threshold"]) == (4, 30)
    good, bad = found["curves"]
    # The first two images have the same margin, so they are sent together.
    assert good["sent"] == bad["sent"] == [0.0, 0.5, 0.75, 1.0]
    assert good["accuracy"] == [0.5, 0.75, 0.75, 0.75]
    assert bad["accuracy"] == [0.5, 0.25, 0.0, 0.0]
    assert (good["teacher_accuracy"], bad["teacher_accuracy"]) == (0.75, 0.0)
    assert good["at_threshold"] == {"sent": 0.5, "accuracy": 0.75}
    assert json.loads(json.dumps(found)) == found


def test_the_table_sends_no_more_than_the_stated_share():
    headings, rows = guidance.table(guidance.curves(OUTPUTS, LABELS, TEACHERS, threshold=51))
    assert headings == ["accuracy % by share sent", "0%", "5%", "10%", "20%", "all", "sent %", "accuracy %"]
    assert rows[0] == ["good", "50.00", "50.00", "50.00", "50.00", "75.00", "100.00", "75.00"]
    headings, rows = guidance.table(guidance.curves(OUTPUTS, LABELS, TEACHERS))
    assert {len(row) for row in rows} == {len(headings)} == {6}


@hypothesis.given(st.integers(1, 60), st.integers(2, 4), st.integers(0, 2**32))
def test_points_are_those_of_the_definition(images, classes, seed):
    random = np.random.default_rng(seed)
    outputs = random.integers(-20, 20, (images, classes), np.int8)
    labels, is_known = random.integers(0, classes, images), random.random(images) < 0.8
    [curve] = guidance.curves(outputs, labels, {"teacher": is_known})["curves"]
    margins, is_right = top_margins(outputs), outputs.argmax(axis=1) == labels
    thresholds = [*np.unique(margins), 256]
    assert np.allclose(curve["sent"], [(margins < t).mean() for t in thresholds])
    assert np.allclose(curve["accuracy"], [np.where(margins < t, is_known, is_right).mean() for t in thresholds])
