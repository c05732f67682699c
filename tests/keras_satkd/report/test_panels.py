import json
import re

import made_up_run
import pytest

from firmware_export.common import digests
from keras_satkd.evaluation import predictions
from keras_satkd.report import html, panels, summary
from keras_satkd.run import history
from keras_satkd.run.folder import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return made_up_run.finished(tmp_path_factory.mktemp("panels") / "run")


def test_a_learning_curve_for_each_phase(run):
    found = panels.learning_curves(history.read(run.path(history.FILE)))
    assert [panel.caption for panel in found] == list(made_up_run.EPOCHS)
    assert "Over 30 epochs of distillation, accuracy: " in found[2].svg


def test_the_selected_score_is_told():
    rows = [{"phase": "p", "epoch": "1", "accuracy": "0.9", "val_accuracy": "0.9"}]
    rows[0] |= {"macro_f1": "0.6", "val_macro_f1": "0.5"}
    [panel] = panels.learning_curves(rows)
    assert (
        "Over 1 epochs of p, macro F1: the last epoch reaches 60.0 % in training and 50.0 % in validation" in panel.svg
    )


def test_a_reliability_diagram_for_each_student(run):
    found = panels.calibration(predictions.load(run.path(predictions.FILE)))
    assert [panel.caption.partition(":")[0] for panel in found] == ["float", "QAT", "int8, exported"]


def test_a_panel_for_each_corruption(run):
    found = panels.corruptions(run)
    assert found[0].caption == "gaussian noise"
    assert all("uncorrupted and at severities 1 to 5" in panel.svg for panel in found)


def test_the_cameras_disturbances_are_told_in_words(run):
    [panel] = panels.camera(run)
    assert "mean 71.0 %, clean 95.0 %" in panel.svg
    assert "JPEG quality: 98.0, 90.0, 80.0, 60.0, 40.0" in panel.svg


def test_the_most_frequent_error_is_named(run):
    [panel] = panels.confusion(run)
    assert "The most frequent error: " in panel.svg


def test_many_classes_have_an_overview_and_a_list_of_errors(tmp_path):
    many = made_up_run.finished(tmp_path / "run", class_names=tuple(f"class {at:03}" for at in range(300)))
    overview, part = panels.confusion(many)
    assert "Confusion matrix of 300 classes" in overview.svg
    assert part.caption.startswith("the 40 classes with the most frequent errors")
    assert len(overview.svg) < 200_000
    found = summary.confusions(many)
    assert len(found.rows) == 20
    assert found.caption in html.render(many)


def test_two_classes_have_a_curve_and_a_threshold(tmp_path):
    two = made_up_run.finished(tmp_path / "run", class_names=("calm", "fire"))
    [panel] = panels.precision_recall(two)
    assert "Precision against recall of the class fire on 400 test images" in panel.svg
    page = html.render(two)
    assert "answer fire if its output code is at least that of calm plus" in page
    assert panels.precision_recall(made_up_run.finished(tmp_path / "ten")) == []


def test_without_validation_images_there_is_no_curve():
    assert panels.risk_coverage({"reason": "Every image is answered."}) == []


def test_risk_on_test_images_is_told_in_words(run):
    [panel] = panels.test_risk(run)
    assert "on 400 test images. clean: 6.50% if all are answered, " in panel.svg
    assert re.search(r"sensor poor: .*% of the .*% answered at the chosen margin\.", panel.svg)


def test_guidance_is_told_in_words(run):
    [panel] = panels.guidance(run)
    assert re.search(r"sent to the ground\. With \S+: .*% if none is sent, .*% if all are\.", panel.svg)


def test_runs_of_older_versions_have_no_risk_on_test_images(tmp_path):
    run = made_up_run.finished(tmp_path / "run")
    values = json.loads(run.path("metrics.json").read_text())
    del values["test"]["risk"], values["test"]["camera"], values["test"]["guidance"]
    digests.write_json(run.path("metrics.json"), values)
    older = Run.open(run.workdir)
    assert panels.test_risk(older) == []
    assert summary.risk(older) is None
    assert panels.guidance(older) == []
    assert summary.guidance(older) is None
    assert "sensor" not in summary.threshold(older)
    assert "<h2>Abstention</h2>" in html.render(older)
