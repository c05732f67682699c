import made_up_run

from keras_satkd import redraw
from keras_satkd.report.write import report


def test_redrawn_the_report_is_the_same(call_in_process, tmp_path):
    run = made_up_run.finished(tmp_path / "run")
    report(run)
    before = run.path("report.html").read_bytes()
    run.path("report.html").unlink()
    code, printed, _ = call_in_process(redraw.main, "redraw", "--workdir", run.workdir)
    assert code == 0
    assert printed.strip() == str(run.path("report.html"))
    assert run.path("report.html").read_bytes() == before


def test_a_folder_without_a_run(call_in_process, tmp_path):
    code, _, said = call_in_process(redraw.main, "redraw", "--workdir", tmp_path)
    assert code == 2
    assert "contains no run" in said
