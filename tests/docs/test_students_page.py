"""The page of students against what `docs/students/renew.py` measured, and against the networks."""

import json
import re
from types import SimpleNamespace

import pytest
from markdown_text import ROOT, text
from matplotlib.figure import Figure

from firmware_export.common.errors import UserError
from firmware_export.common.tables import with_measured
from keras_satkd.config import Config
from keras_satkd.models import mixer, students
from keras_satkd.run.stages import TEST

FOLDER = "students"
PAGE = text(ROOT / "docs" / "students.md")


def test_the_page_has_what_was_measured(renew):
    found = json.loads(renew.RESULTS.read_text())
    assert tuple(found) == renew.STUDENTS
    assert with_measured(PAGE, renew.table(found)) == PAGE


def test_what_was_measured_are_these_networks(renew):
    for name, cost in json.loads(renew.RESULTS.read_text()).items():
        student = students.build(name, renew.SIZE, renew.CLASSES)
        assert (students.trainable_parameters(student), students.macs(student)) == (cost["parameters"], cost["macs"])


def test_the_mixer_is_within_resnet8(renew):
    found = json.loads(renew.RESULTS.read_text())
    ours, theirs = found["mixer"], found["resnet8"]
    assert all(ours[key] <= theirs[key] for key in ("parameters", "macs", "ram"))
    assert ours["instructions"]["cortex-m4"] < theirs["instructions"]["cortex-m4"] / 1.9


def test_the_widths_are_those_of_the_code():
    [widths] = re.findall(r"three stages of (\d+), (\d+), and (\d+) channels", PAGE)
    assert tuple(map(int, widths)) == mixer.SHAPES["mixer"].channels


def test_the_pareto_picture_has_a_point_for_each_student(docs_module):
    pareto, figure = docs_module("pareto", "docs/students"), Figure()
    costs = {"a": {"constants": 90_000, "ram": 25_000, "instructions": {"cortex-m4": 20_000_000}}}
    test = SimpleNamespace(scores={"int8": {"accuracy": 0.96}}, confusion=[[96, 0], [4, 0]])
    run = SimpleNamespace(config=Config(student="a"), results={TEST: test}, workdir="runs/a")
    found = pareto.point(run, costs)
    assert found["interval"] == pytest.approx(196 * (0.96 * 0.04 / 100) ** 0.5)
    pareto.draw(figure, [found, {**found, "student": "b"}])
    assert [panel.get_xlabel() for panel in figure.axes] == [
        "constants in flash, kB",
        "RAM, kB",
        "M instructions, Cortex-M4",
    ]
    assert [text.get_text() for text in figure.axes[0].texts] == ["a", "b"]


def test_the_ladder_is_what_was_trained(docs_module):
    pareto = docs_module("pareto", "docs/students")
    points, costs = json.loads(pareto.POINTS.read_text()), json.loads(pareto.COSTS.read_text())
    assert dict(re.findall(r"^\| `(\w+)` \| (\d\d\.\d\d) ±", PAGE, re.MULTILINE)) == {
        point["student"]: f"{point['accuracy']:.2f}" for point in points
    }
    for point in points:
        cost = costs[point["student"]]
        assert point["RAM, kB"] == cost["ram"] / 1000
        assert point["constants in flash, kB"] == cost["constants"] / 1000
        assert point["M instructions, Cortex-M4"] == cost["instructions"]["cortex-m4"] / 1e6


def test_a_run_without_results_or_costs_is_one_line(docs_module):
    pareto = docs_module("pareto", "docs/students")
    run = SimpleNamespace(config=Config(student="a"), results={}, workdir="runs/a")
    with pytest.raises(UserError, match="has no test results"):
        pareto.point(run, {})
    with pytest.raises(UserError, match=r"costs\.json lacks"):
        pareto.point(SimpleNamespace(**{**vars(run), "results": {TEST: None}}), {})


def test_the_weights_fit_the_student():
    weights = ROOT / "docs" / "students" / "mixer_clean.keras"
    found, built = students.build("mixer", 64, 10, str(weights)), students.build("mixer", 64, 10)
    assert found.count_params() == built.count_params()
