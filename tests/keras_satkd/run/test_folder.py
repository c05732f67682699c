import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys

import pytest
from damage import cut, damage, flip

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.output.folder import DIGESTS, publish, sealed
from keras_satkd.config import Config, DistillationConfig
from keras_satkd.run import history
from keras_satkd.run.artifacts import LOCK_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.locks import InUse
from keras_satkd.run.results import (
    DistillationResult,
    FirmwareResult,
    Int8Result,
    QuantizationResult,
    ReportResult,
    TeacherResult,
)
from keras_satkd.run.stages import DISTILLATION, FIRMWARE, INT8, QUANTIZATION, REPORT, Stage, steps_from, teacher

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
        digests.write_json(tmp_path / "metrics.json", found)
        other.communicate(b"\n")
    run.claim()
    assert run.results[REPORT].file == "report.html"


class ChiefElsewhere:
    """A meeting of a process that is not the chief; the chief does its work when this one waits for it."""

    is_chief = False

    def __init__(self, chief):
        self.chief = chief

    def agree(self, facts):
        self.chief.claim()

    def wait(self, step, is_done):
        assert not is_done()
        work = {"int8": Int8Result("student_int8.tflite", 5), "quantization": QuantizationResult("student_qat.h5")}
        self.chief.step(next(each for each in (INT8, QUANTIZATION) if each.name == step), lambda: work[step])
        assert is_done()


def test_a_process_that_is_not_the_chief_trains_and_writes_nothing(tmp_path):
    run, called = Run(tmp_path / "run", Config()), []
    run.meeting = ChiefElsewhere(Run(tmp_path / "run", Config()))
    run.claim()
    assert not run.is_chief
    assert run.step(QUANTIZATION, lambda: called.append("train")).file == "student_qat.h5"
    assert run.step(INT8, lambda: called.append("convert")).bytes == 5
    assert called == ["train"]


def test_a_run_from_before_a_setting_was_there_is_gone_on_with(tmp_path):
    claimed(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text())
    del values["firmware"]["error_rate"]
    digests.write_json(tmp_path / "config.json", values)
    assert Run.open(tmp_path).config == Config()
    assert not Run(tmp_path, Config()).results


KILLED = """
import os, signal, sys
from pathlib import Path
from keras_satkd.config import Config
from keras_satkd.run.folder import Run

root, at = Path(sys.argv[1]), 0
while True:
    child = os.fork()
    if not child:
        left = at
        def hook(event, arguments):
            global left
            is_ours = any(str(root) in str(each) for each in arguments)
            if is_ours and event.startswith(("open", "os.", "shutil.", "tempfile.")):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        Run(root / str(at), Config()).claim()
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL:
        break
    run = Run(root / str(at), Config())
    run.claim()
    assert not [path for path in run.workdir.rglob(".*")], list(run.workdir.rglob(".*"))
    at += 1
print(at)
"""


def test_a_run_that_is_killed_before_it_has_begun_can_be_repeated(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20, "too few moments"


def test_folders_that_are_no_run(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        Run(tmp_path / "file", Config())
    with pytest.raises(UserError, match="contains files but no run"):
        Run(tmp_path, Config())
    with pytest.raises(UserError, match="contains no run"):
        Run.open(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json cannot be read"):
        Run(tmp_path, Config())


def with_settings(**groups) -> Config:
    changed = {name: dataclasses.replace(getattr(Config(), name), **values) for name, values in groups.items()}
    return dataclasses.replace(Config(), **changed)


def distilled(workdir) -> Run:
    """A run that finished distillation, and whose int8 model was made and then refused by the export."""
    run = claimed(workdir)
    run.step(DISTILLATION, lambda: DistillationResult("student.keras", 98_522, 58_393_216))
    run.step(QUANTIZATION, lambda: QuantizationResult("student_qat.h5"))
    run.step(INT8, lambda: Int8Result("student_int8.tflite", 5))
    rows = [{"phase": phase, "epoch": "1"} for phase in ("distillation", "quantization")]
    history.write(run.path(history.FILE), rows)
    for name in ("student.keras", "student_qat.h5", "student_int8.tflite"):
        run.path(name).touch()
    for phase in ("distillation", "quantization"):
        for folder in ("checkpoints", "lowered", "tensorboard"):
            run.path(folder, phase).mkdir(parents=True)
    return run


def test_a_setting_of_a_later_step_may_change(tmp_path, caplog):
    distilled(tmp_path)
    caplog.clear()
    run = Run(tmp_path, with_settings(quantization={"calibration_images": 512}))
    assert DISTILLATION in run.results
    assert INT8 not in run.results
    # Nothing is dropped before all is checked.
    assert INT8 in Run.open(tmp_path).results
    run.claim()
    assert [step.name for step in run.results.steps()] == ["distillation"]
    assert [row["phase"] for row in history.read(run.path(history.FILE))] == ["distillation"]
    assert {path.name for path in tmp_path.glob("student*")} == {"student.keras"}
    for folder in ("checkpoints", "lowered", "tensorboard"):
        assert [path.name for path in run.path(folder).iterdir()] == ["distillation"]
    assert Run.open(tmp_path).config.quantization.calibration_images == 512
    [line] = caplog.messages
    assert line == (
        f"{tmp_path}: quantization.calibration_images changed, so these steps are repeated: "
        "quantization, int8, firmware, test, report"
    )


def test_a_setting_of_the_last_steps_keeps_all_before(tmp_path):
    distilled(tmp_path)
    claimed(tmp_path, with_settings(firmware={"error_rate": 0.1}))
    run = Run.open(tmp_path)
    assert [step.name for step in run.results.steps()] == ["distillation", "quantization", "int8"]
    assert run.path("student_int8.tflite").exists()


def test_a_setting_that_changes_no_result(tmp_path, caplog):
    distilled(tmp_path)
    caplog.clear()
    claimed(tmp_path, with_settings(data={"cache_dir": "elsewhere"}))
    assert Run.open(tmp_path).config.data.cache_dir == "elsewhere"
    assert INT8 in Run.open(tmp_path).results
    assert not caplog.messages


@pytest.mark.parametrize(
    "groups", [{"data": {"seed": 1}}, {"teachers": {"epochs": 3}}, {"distillation": {"temperature": 4.0}}]
)
def test_a_change_that_would_keep_no_training_is_refused(tmp_path, groups):
    distilled(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="give another folder"):
        Run(tmp_path, with_settings(**groups))
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_training_that_has_begun_is_not_lost_by_a_change(tmp_path):
    run = claimed(tmp_path)
    history.write(run.path(history.FILE), [{"phase": "distillation", "epoch": "1"}])
    with pytest.raises(UserError, match="give another folder"):
        Run(tmp_path, OTHER)


def test_where_nothing_is_lost_any_setting_may_change(tmp_path):
    claimed(tmp_path)
    assert claimed(tmp_path, OTHER).config == OTHER


def test_a_fine_tuned_teacher_is_kept_when_distillation_changes(tmp_path):
    run = distilled(tmp_path)
    run.step(teacher("efficientvit_m0@64"), lambda: TeacherResult({"accuracy": 0.9}))
    claimed(tmp_path, OTHER)
    assert [step.name for step in Run.open(tmp_path).results.steps()] == ["teacher efficientvit_m0@64"]


@pytest.mark.parametrize(
    ("groups", "kept"),
    [
        (
            {"firmware": {"error_rate": 0.1}},
            {
                *("split.json", "sensor.toml", "scaling.json", "student.keras", "student_qat.h5"),
                *("student_int8.tflite", "student_ptq.tflite"),
            },
        ),
        ({"quantization": {"epochs": 3}}, {"split.json", "sensor.toml", "scaling.json", "student.keras"}),
    ],
)
def test_the_files_of_the_repeated_steps_go(tmp_path, groups, kept):
    run = distilled(tmp_path)
    written = {file for step in steps_from(Stage.DATA) for file in step.files}
    for file in (*written, "mine.txt"):
        run.path(file).touch()
    # As after an export that was refused or killed: the step is not among the results.
    publish(run.path("firmware"), {"model.h": "", "export.json": json.dumps({"files": ["model.h", "export.json"]})})
    claimed(tmp_path, with_settings(**groups))
    assert {path.name for path in tmp_path.iterdir()} & (written | {"firmware", "mine.txt"}) == kept | {"mine.txt"}


def test_the_files_of_all_steps():
    assert {file for step in steps_from(Stage.DATA) for file in step.files} == {
        *(
            "split.json",
            "sensor.toml",
            "scaling.json",
            "student.keras",
            "student_qat.h5",
            "student_int8.tflite",
            "student_ptq.tflite",
        ),
        *("verification_images.npy", "validation_images.npz", "test_answers.npz", "report.html", "model_card.md"),
    }
    assert [step.export for step in steps_from(Stage.FIRMWARE)] == ["firmware", None, None]


def _steps(run, done: list) -> None:
    """Run three steps that write their files, and note those that are done."""

    def work(step, result):
        def write():
            done.append(step.name)
            for file in step.files:
                run.path(file).parent.mkdir(parents=True, exist_ok=True)
                run.path(file).write_bytes(f"content of {file}".encode() * 20)
            return result

        return write

    results = {
        teacher("mobilevit_xxs"): TeacherResult(),
        DISTILLATION: DistillationResult("student.keras", 1, 1),
        INT8: Int8Result("student_int8.tflite", 5),
        REPORT: ReportResult("report.html"),
    }
    for step, result in results.items():
        run.step(step, work(step, result))


ORDER = ["teacher mobilevit_xxs", "distillation", "int8", "report"]
FIRST_REPEATED = {
    "teachers/mobilevit_xxs/teacher.weights.h5": 0,
    "teachers/mobilevit_xxs/teacher.json": 0,
    "student.keras": 1,
    "student_int8.tflite": 2,
    "student_ptq.tflite": 2,
}


@pytest.mark.parametrize("file", FIRST_REPEATED)
def test_a_damaged_file_is_named_and_its_step_and_later_ones_are_repeated(tmp_path, caplog, file):
    done = []
    _steps(claimed(tmp_path), done)
    whole = (tmp_path / file).read_bytes()
    history.write(tmp_path / history.FILE, [{"phase": "distillation", "epoch": "1"}])
    for seed in range(12):
        done.clear()
        caplog.clear()
        damage(tmp_path / file, seed)
        with pytest.raises(UserError, match=f"{file} is damaged .*: repeat the run's command with this --workdir"):
            Run.open(tmp_path)
        _steps(claimed(tmp_path), done)
        assert done == ORDER[FIRST_REPEATED[file] :]
        assert f"{file} damaged or missing, so these steps are repeated" in caplog.text
        assert (tmp_path / file).read_bytes() == whole
        # A training resumes from its finished epochs.
        assert len(history.read(tmp_path / history.FILE)) == 1
        Run.open(tmp_path)


def test_a_missing_file_matters_until_the_run_is_finished(tmp_path):
    done = []
    _steps(claimed(tmp_path), done)
    (tmp_path / "student_ptq.tflite").unlink()
    _steps(claimed(tmp_path), done)
    assert done == ORDER
    flip(tmp_path / "student_int8.tflite", 0.5)
    run = claimed(tmp_path)
    assert REPORT not in run.results
    assert INT8 not in run.results
    assert DISTILLATION in run.results


def test_the_users_changes_of_the_report_are_kept(tmp_path):
    done = []
    _steps(claimed(tmp_path), done)
    (tmp_path / "model_card.md").write_text("mine")
    _steps(claimed(tmp_path), done)
    assert done == ORDER
    assert (tmp_path / "model_card.md").read_text() == "mine"


@pytest.mark.parametrize("damaged", ["model.h", "export.json"])
def test_a_damaged_export_is_made_again_until_the_run_is_finished(tmp_path, caplog, damaged):
    digest = hashlib.sha256(b"int a;").hexdigest()
    report = sealed({"files": ["export.json", "model.h"], DIGESTS: {"model.h": digest}})

    def export(run):
        def work():
            publish(run.path("firmware"), {"model.h": "int a;", "export.json": report})
            return FirmwareResult("firmware", 1, 1)

        run.step(FIRMWARE, work)

    export(claimed(tmp_path))
    assert FIRMWARE in claimed(tmp_path).results
    flip(tmp_path / "firmware" / damaged, 0.5)
    run = claimed(tmp_path)
    assert FIRMWARE not in run.results
    assert f"firmware/{damaged} damaged or missing, so these steps are repeated: firmware" in caplog.text
    export(run)
    run.step(REPORT, lambda: ReportResult("report.html"))
    flip(tmp_path / "firmware" / damaged, 0.5)
    assert FIRMWARE in claimed(tmp_path).results


@pytest.mark.parametrize("file", ["metrics.json", "config.json", "metrics.csv"])
@pytest.mark.parametrize("harm", [flip, cut])
@pytest.mark.parametrize("at", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_damaged_records_of_a_run_are_refused(tmp_path, file, harm, at):
    _steps(claimed(tmp_path), [])
    history.write(tmp_path / history.FILE, [{"phase": "distillation", "epoch": "1"}])
    harm(tmp_path / file, at)
    with pytest.raises(UserError, match=f"{file} is damaged .*: restore a copy, or remove that record") as caught:
        Run(tmp_path, OTHER).claim()
    assert "\n" not in str(caught.value)


def test_a_run_of_an_older_version_has_no_digests(tmp_path):
    _steps(claimed(tmp_path), [])
    values = json.loads((tmp_path / "metrics.json").read_text())
    for step in values.values():
        step.pop("sha256", None)
    digests.write_json(tmp_path / "metrics.json", values)
    shutil.rmtree(tmp_path / "sha256")
    flip(tmp_path / "student.keras", 0.5)
    done = []
    _steps(claimed(tmp_path), done)
    assert not done
