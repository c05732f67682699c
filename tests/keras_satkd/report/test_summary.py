from dataclasses import replace

import made_up_run
import pytest

from keras_satkd.report import model_card, summary
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import TEST


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made_up_run.finished(tmp_path_factory.mktemp("summary") / "run")


@pytest.mark.parametrize(
    "table",
    [
        summary.scores,
        summary.student,
        summary.costs,
        summary.corruptions,
        summary.camera,
        summary.risk,
        summary.drift,
        summary.guidance,
        summary.steps,
    ],
    ids=lambda table: table.__name__,
)
def test_rows_are_as_wide_as_the_headings(run, table):
    found = table(run)
    assert found.rows
    assert {len(row) for row in found.rows} == {len(found.headings)}
    assert found.caption.endswith(".")


def test_the_threshold_is_explained_with_its_sensor(run):
    assert summary.threshold(run).endswith(' The validation images passed through the sensor "poor".')


def test_the_sensor_is_the_runs_copy(run, tmp_path):
    assert summary.sensor(run).startswith('name = "poor"\n')
    assert summary.sensor(Run(tmp_path / "other", run.config)) is None


def test_false_alarms_and_detections(run):
    found = summary.drift(run)
    assert "Windows of 32 images" in found.caption
    assert "the bounds allow 1 % of false alarms" in found.caption
    assert found.rows[0] == ["clean images: false alarms", "0.4", *[""] * 5, "0.8", ""]


def test_teachers_come_before_the_students(run):
    names = [row[0] for row in summary.scores(run).rows]
    assert names == [*(f"teacher {name}" for name in made_up_run.TEACHERS), *summary.MODELS.values()]


def test_the_report_is_no_step_of_its_own_table(run):
    steps = [row[0] for row in summary.steps(run).rows]
    assert steps[0] == "data"
    assert "report" not in steps


def test_rounds_and_robust_accuracy_are_told(run, monkeypatch):
    found = run.results[TEST]
    attacked = {"images": 200, "clean": 0.9, "epsilon": 4.0, "steps": 20, "step_size": 0.5, "accuracy": 0.25}
    scores = {**found.scores, "round 1": found.scores["float"]}
    monkeypatch.setitem(run.results._values, TEST.name, replace(found, scores=scores, pgd=attacked).to_json())
    table = summary.scores(run)
    names = [row[0] for row in table.rows]
    assert names == [*(f"teacher {name}" for name in made_up_run.TEACHERS), "round 1", *summary.MODELS.values()]
    assert "Rounds are those of self-distillation" in table.caption
    robust = summary.pgd(run)
    assert "first 200 test images" in robust.caption
    assert "without it, 90.0 %" in robust.caption
    assert robust.rows == [["", "4", "20", "0.5", "25.00"]]
    card = model_card.render(run)
    assert "after an attack on it" in card
    assert "25.00" in card


def test_without_them_nothing_is_said(run):
    assert summary.pgd(run) is None
    assert "Rounds" not in summary.scores(run).caption
