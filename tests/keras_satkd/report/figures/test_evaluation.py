import numpy as np
import pytest
from drawn_figures import drawn

from keras_satkd.camera.sensor import examples
from keras_satkd.evaluation import guidance, risk
from keras_satkd.evaluation.calibration import reliability
from keras_satkd.report.figures import evaluation
from keras_satkd.report.figures.canvas import PANEL


@pytest.mark.parametrize("classes", [2, 10, 26, 40])
def test_confusion(classes):
    counts = np.full((classes, classes), 3)
    counts[0] = 0  # a class that the test images lack
    names = [f"class {number}" for number in range(classes)]
    texts = drawn(lambda figure: evaluation.confusion(figure, counts, names), evaluation.confusion_size(classes))
    assert set(names) <= set(texts)


def test_the_most_confused_of_many_classes():
    counts = 20 * np.eye(1000, dtype=int)
    counts[7, 990], counts[500, 501], counts[3, 2] = 9, 8, 7
    shown = evaluation.most_confused(counts, 6)
    assert shown.tolist() == [2, 3, 7, 500, 501, 990]
    names = [f"class {number} with a name that is much too long" for number in range(1000)]
    size = evaluation.confusion_size(len(shown))
    texts = drawn(lambda figure: evaluation.confusion(figure, counts, names, shown), size)
    assert "31" in texts  # percent of 29 images
    assert "class 990 with a name that …" in texts


@pytest.mark.parametrize("classes", [41, 200, 1000])
def test_overview_of_many_classes(classes):
    counts = np.eye(classes, dtype=int)
    texts = drawn(lambda figure: evaluation.overview(figure, counts), evaluation.OVERVIEW)
    assert {"true class", "predicted class", "100"} <= set(texts)


def test_precision_recall():
    at = {"precision": 0.8, "recall": 0.6, "f1": 0.7}
    found = {"precision": [0.1, 0.8, 1.0], "recall": [1.0, 0.6, 0.0], "average_precision": 0.7, "share": 0.05}
    found |= {"threshold": -12, "at_threshold": at, "at_highest": {**at, "recall": 0.4}}
    texts = drawn(lambda figure: evaluation.precision_recall(figure, found), (4.2, 3.2))
    assert {"threshold -12", "highest output", "chance"} <= set(texts)


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_reliability(share):
    random = np.random.default_rng(0)
    found = reliability(random.uniform(0.1, 1, 300), random.random(300) < share)
    drawn(lambda figure: evaluation.reliability(figure, found), (PANEL[0], 3.4))


def test_corruption():
    columns = {"float": [0.9, 0.8, 0.7, 0.5, 0.2, 0.1], "int8": [0.9, 0.8, 0.7, 0.5, 0.2, 0.1]}
    assert {"none", "5", "float", "int8"} <= set(drawn(lambda figure: evaluation.corruption(figure, columns)))


def test_risk_coverage_of_few_images():
    curve = [{"margin": 0, "coverage": 1.0, "risk": 0.5, "risk_bound": 0.9}]
    unsure = {"curve": curve, "least_margin": 0, "error_rate": 0.02, "confidence": 0.95}
    drawn(lambda figure: evaluation.risk_coverage(figure, unsure), (4.2, 3.2))


@pytest.mark.parametrize("threshold", [None, 0, 300])
def test_risk_on_test_images(threshold):
    outputs, labels = np.array([[10, 0], [0, 10], [30, 0], [0, 50]], np.int8), np.array([1, 1, 0, 1])
    found = risk.curves(lambda _: outputs, np.zeros((4, 8, 8, 3), np.uint8), labels, examples(3), threshold)
    texts = drawn(lambda figure: evaluation.test_risk(figure, found), (4.2, 3.2))
    assert {"clean", "sensor healthy", "sensor poor"} <= set(texts)
    assert ("chosen margin" in texts) == (threshold is not None)


@pytest.mark.parametrize("threshold", [None, 30])
def test_guidance(threshold):
    outputs, labels = np.array([[10, 0], [0, 10], [30, 0], [0, 50]], np.int8), np.array([1, 1, 0, 1])
    found = guidance.curves(outputs, labels, {"my_teacher": np.ones(4, bool)}, threshold)
    texts = drawn(lambda figure: evaluation.guidance(figure, found), (4.2, 3.2))
    assert {"my_teacher", "images sent to the ground %"} <= set(texts)
    assert ("chosen margin" in texts) == (threshold is not None)


def test_risk_of_a_model_that_is_always_right():
    found = {"images": 1, "curves": [{"sensor": None, "coverage": [1.0], "risk": [0.0], "area": 0.0}]}
    drawn(lambda figure: evaluation.test_risk(figure, found), (4.2, 3.2))
