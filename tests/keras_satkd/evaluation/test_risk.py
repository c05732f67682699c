import json

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from firmware_export.verify.abstention import risk_coverage, top_margins
from keras_satkd.camera import sensor
from keras_satkd.evaluation import risk

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
OUTPUTS = np.array([[10, 0], [0, 10], [30, 0], [0, 50]], np.int8)
LABELS = np.array([1, 1, 0, 1])
"""The first output is wrong; its margin is 10, as that of the second."""


def test_curve_by_hand():
    found = risk.curves(lambda _images: OUTPUTS, IMAGES, LABELS, threshold=20)
    [curve] = found["curves"]
    assert (found["images"], found["threshold"], curve["sensor"]) == (4, 20, None)
    assert (curve["coverage"], curve["risk"]) == ([1.0, 0.5, 0.25], [0.25, 0.0, 0.0])
    # Two of four images have the margin at which the risk is 0.25.
    assert curve["area"] == 0.125
    assert curve["at_threshold"] == {"coverage": 0.5, "risk": 0.0}


def test_a_threshold_above_all_margins_answers_nothing():
    found = risk.curves(lambda _images: OUTPUTS, IMAGES, LABELS, threshold=51)
    assert found["curves"][0]["at_threshold"] == {"coverage": 0.0, "risk": None}
    assert risk.table(found)[1][0][-2:] == ["0.00", "none"]


def test_a_curve_for_each_sensor_on_what_it_captures():
    seen = []

    def outputs_of(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return OUTPUTS

    found = risk.curves(outputs_of, IMAGES, LABELS, sensor.examples(IMAGES.shape[-1]))
    assert [curve["sensor"] for curve in found["curves"]] == [None, "healthy", "poor"]
    np.testing.assert_array_equal(seen[0], IMAGES)
    np.testing.assert_array_equal(seen[2], sensor.load("poor").capture(IMAGES))
    assert "threshold" not in found
    assert not any("at_threshold" in curve for curve in found["curves"])
    assert json.loads(json.dumps(found)) == found


def test_the_table_takes_at_least_the_stated_coverage():
    headings, rows = risk.table(risk.curves(lambda _images: OUTPUTS, IMAGES, LABELS, [sensor.load("poor")], 0))
    assert headings[:3] == ["risk % at coverage", "100%", "90%"]
    assert rows[0] == ["clean", "25.00", "25.00", "25.00", "12.50", "100.00", "25.00"]
    assert rows[1][0] == "sensor poor"
    assert {len(row) for row in rows} == {len(headings)}


def test_points_can_be_left_out():
    short = risk.without_points(risk.curves(lambda _images: OUTPUTS, IMAGES, LABELS, threshold=0))
    assert short == {
        "images": 4,
        "threshold": 0,
        "curves": [{"sensor": None, "area": 0.125, "at_threshold": {"coverage": 1.0, "risk": 0.25}}],
    }


@hypothesis.given(st.integers(1, 600), st.integers(0, 100), st.sampled_from([np.int8, np.float32]))
@hypothesis.settings(deadline=None)
def test_the_area_is_the_mean_risk_at_each_images_margin(count, seed, kind):
    random = np.random.default_rng(seed)
    outputs, labels = random.normal(0, 40, (count, 3)).clip(-128, 127).astype(kind), random.integers(0, 3, count)
    margins, is_wrong = top_margins(outputs), outputs.argmax(axis=1) != labels
    expected = np.mean([is_wrong[margins >= margin].mean() for margin in margins])
    assert risk.area(risk_coverage(outputs, labels)) == pytest.approx(expected)
    [curve] = risk.curves(lambda _images: outputs, np.zeros((count, 1, 1, 3), np.uint8), labels)["curves"]
    assert curve["area"] == pytest.approx(expected)
    assert len(curve["coverage"]) <= 256
    assert curve["coverage"][0] == 1
    assert curve["risk"][0] == pytest.approx(is_wrong.mean())
