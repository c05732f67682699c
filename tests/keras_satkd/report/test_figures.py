"""Each figure at the edges of what it is given: no text is cut off and none covers another."""

import itertools
from collections.abc import Iterator

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from keras_satkd.evaluation.calibration import reliability
from keras_satkd.report.figures import evaluation, study, training
from keras_satkd.report.figures.canvas import PANEL, STYLE, svg


def drawn(fill, size=PANEL) -> list:
    """The extents of all visible text in the figure, in pixels, once they are seen to lie apart and inside it."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        fill(figure)
        figure.canvas.draw()
    hidden = set(_ticks_beyond_the_axes(figure))
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = {text.get_text(): text.get_window_extent() for text in texts if text not in hidden}
    for name, box in boxes.items():
        assert box.x0 >= -1, name
        assert box.y0 >= -1, name
        assert box.x1 <= figure.bbox.x1 + 1, name
        assert box.y1 <= figure.bbox.y1 + 1, name
    for (one, first), (other, second) in itertools.combinations(boxes.items(), 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        along = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert min(across, along) <= 1, (one, other)
    return list(boxes)


def _ticks_beyond_the_axes(figure: Figure) -> Iterator[Text]:
    # They keep their labels and are not drawn.
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def rows(epochs: int) -> list[dict[str, str]]:
    return [
        {"epoch": str(epoch), "accuracy": str(1 - 0.5 / epoch), "val_accuracy": str(1 - 0.6 / epoch)}
        for epoch in range(1, epochs + 1)
    ]


@pytest.mark.parametrize("epochs", [1, 2, 500])
def test_learning_curves(epochs):
    assert "validation" in drawn(lambda figure: training.accuracy(figure, rows(epochs)))


def test_columns_that_a_phase_leaves_empty_are_not_its_own():
    given = [{"weight_a": "0.25", "weight_b": "", "epoch": "1"}]
    assert training.columns(given, "weight_") == {"a": [0.25]}
    assert training.columns([], "weight_") == {}


@pytest.mark.parametrize("names", [["only"], ["a" * 60, "b" * 60], list("abcdefgh")])
def test_shares(names):
    columns = {name: [0.5, 0.6, 0.7] for name in names}
    assert "mean weight" in drawn(lambda figure: training.shares(figure, rows(3), columns, "mean weight"))


@pytest.mark.parametrize("classes", [2, 10, 26, 100])
def test_confusion(classes):
    counts = np.full((classes, classes), 3)
    counts[0] = 0  # a class that the test images lack
    names = [f"class {number}" for number in range(classes)]
    texts = drawn(lambda figure: evaluation.confusion(figure, counts, names), evaluation.confusion_size(classes))
    assert set(names) <= set(texts)


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


def test_svg_is_the_same_every_time_and_leaves_settings_alone():
    before = dict(matplotlib.rcParams)
    once, again = (svg(PANEL, lambda figure: figure.subplots().plot([1, 2]), "one", "a < b") for _ in range(2))
    assert once == again
    assert "<title>a &lt; b</title>" in once
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("seeds", "told"), [((1, 1), "1 seed a row"), ((3, 3), "3 seeds a row"), ((2, 1), "1 or 2 seeds a row")]
)
def test_rows_of_a_study(seeds, told):
    summaries = [
        {
            "row": f"row {number}",
            "student": "resnet8",
            "seeds": count,
            "images": 4860,
            "accuracy": (0.94, 0.003 if count > 1 else None),
        }
        for number, count in enumerate(seeds)
    ]
    texts = drawn(lambda figure: study.rows(figure, summaries), size=(9, 5))
    assert {f"resnet8, {told}", "row 0", "row 1"} <= set(texts)
