import dataclasses
import json
import subprocess
import sys

import pytest

from firmware_export.common.errors import UserError
from keras_satkd.config import Config, DistillationConfig
from keras_satkd.run.folder import LOCK_FILE, InUse, Run
from keras_satkd.run.results import DistillationResult, Int8Result
from keras_satkd.run.stages import DISTILLATION, INT8, REPORT

HOLD_A_LOCK = "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(flush=True); input()"
OTHER = dataclasses.replace(Config(), distillation=DistillationConfig(temperature=4.0))


def claimed(workdir, config=None) -> Run:
    run = Run(workdir, config or Config())
    run.claim()
    return run


def test_a_finished_step_is_not_done_again(tmp_path):
    calls = []

    def work():
        calls.append(1)
        return Int8Result("student_int8.tflite", 5)

    for _ in range(2):
        run = claimed(tmp_path / "run")
        assert run.step(INT8, work).bytes == 5
    assert len(calls) == 1
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["int8"]["bytes"] == 5


def test_a_failed_step_is_done_again(tmp_path):
    run = claimed(tmp_path / "run")
    with pytest.raises(ZeroDivisionError):
        run.step(INT8, lambda: 1 / 0)
    assert claimed(tmp_path / "run").step(INT8, lambda: Int8Result("student_int8.tflite", 1)).bytes == 1


def test_a_run_that_never_began_leaves_nothing(tmp_path):
    Run(tmp_path / "run", Config())
    assert not (tmp_path / "run").exists()


def test_a_folder_of_another_configuration_is_refused_with_the_difference(tmp_path):
    claimed(tmp_path / "run").step(DISTILLATION, lambda: DistillationResult("student.keras", 98_522, 58_393_216))
    with pytest.raises(UserError, match=r"distillation\.temperature=5\.0 \(now 4\.0\): give another folder"):
        Run(tmp_path / "run", OTHER)


def test_a_folder_that_another_process_works_in(tmp_path):
    claimed(tmp_path).step(INT8, lambda: Int8Result("student_int8.tflite", 1))
    command = [sys.executable, "-c", HOLD_A_LOCK, str(tmp_path / LOCK_FILE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline()
        run = Run(tmp_path, Config())
        with pytest.raises(InUse, match="is in use by another process: wait, or give another folder"):
            run.claim()
        found = json.loads((tmp_path / "metrics.json").read_text()) | {
            "report": {"file": "report.html", "seconds": 1.0}
        }
        (tmp_path / "metrics.json").write_text(json.dumps(found))
        other.communicate(b"\n")
    run.claim()
    assert run.results[REPORT].file == "report.html"


def test_a_run_from_before_a_setting_was_there_is_gone_on_with(tmp_path):
    claimed(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text())
    del values["firmware"]["error_rate"]
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert Run.open(tmp_path).config == Config()
    assert not Run(tmp_path, Config()).results


def test_folders_that_are_no_run(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        Run(tmp_path / "file", Config())
    with pytest.raises(UserError, match="holds files but no run"):
        Run(tmp_path, Config())
    with pytest.raises(UserError, match="holds no run"):
        Run.open(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json cannot be read"):
        Run(tmp_path, Config())
