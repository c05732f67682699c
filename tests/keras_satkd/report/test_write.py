import made_up_run
import pytest

from firmware_export.common.errors import UserError
from keras_satkd.evaluation import predictions
from keras_satkd.report.write import print_table, report


def test_the_terminals_table(tmp_path, capsys):
    print_table(made_up_run.finished(tmp_path / "run"))
    said = capsys.readouterr().out
    for words in ("int8, exported", "90.50", "98,522", "report.html"):
        assert words in said


def test_both_files_are_written(tmp_path):
    run = made_up_run.finished(tmp_path / "run")
    assert report(run).file == "report.html"
    assert run.path("report.html").read_text().startswith("<!DOCTYPE html>")
    assert run.path("model_card.md").read_text().startswith("# resnet8 on EuroSAT_RGB.zip")


@pytest.mark.parametrize("length", [0, 2, 5000])
def test_a_run_whose_predictions_are_damaged(tmp_path, length):
    run = made_up_run.finished(tmp_path / "run")
    run.path(predictions.FILE).write_bytes(run.path(predictions.FILE).read_bytes()[:length])
    with pytest.raises(UserError, match=r"test_answers\.npz cannot be read"):
        report(run)


def test_names_of_images_need_not_be_utf_8(tmp_path):
    run = made_up_run.finished(tmp_path / "run", class_names=("For\udceat", "Lake", "River"))
    report(run)
    assert r"For\udceat/" in run.path("report.html").read_text()
