"""The full pipeline on a small scale, interrupted and resumed; and its errors for bad input."""

import csv
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import made_up_run
import numpy as np
import prepared_process
import pytest
import tf_keras
import tomli_w
from damage import damage
from rasters import raster_folder
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from firmware_export.tflite.reader import read
from keras_satkd import distill
from keras_satkd.config_io import from_dict, load
from keras_satkd.evaluation import classifier
from keras_satkd.pipeline import steps
from keras_satkd.report.write import report
from keras_satkd.run import history
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import REPORT

SIZE = 64
DISTILLATION_EPOCHS = 8


def configuration(folder: Path) -> Path:
    """A run of a minute or two: untrained saved models teach ten synthetic classes.

    The images have their full size: over fewer pixels the pooled features average less of the rounding that sets the
    Keras model and the part's arithmetic apart, and so short a training would end at the edge of what export accepts.
    """
    names = []
    for seed, name in enumerate(("one", "two")):
        tiny_network(10, SIZE, seed).save(folder / f"{name}.keras")
        names.append(str(folder / f"{name}.keras"))
    path = folder / "small.toml"
    path.write_text(
        tomli_w.dumps(
            {
                "data": {"source": "synthetic", "synthetic_images": 400, "image_size": SIZE},
                "teachers": {"names": names, "accept_weak": True},
                "distillation": {
                    "epochs": DISTILLATION_EPOCHS,
                    "batch_size": 32,
                    "learning_rate": 4e-3,
                    "views": 2,
                    "weighting": {"rule": "paper-sample"},
                },
                "quantization": {"epochs": 2, "batch_size": 32},
            }
        )
    )
    return path


def command(config: Path, workdir: Path) -> list[str]:
    return [sys.executable, "-m", "keras_satkd.distill", "--config", str(config), "--workdir", str(workdir)]


def rows(workdir: Path, phase: str) -> list[dict[str, str]]:
    path = workdir / "metrics.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["phase"] == phase]


def stop_when(process: subprocess.Popen, reached, by: signal.Signals, patience: float = 300.0) -> None:
    deadline = time.monotonic() + patience
    while not reached():
        assert process.poll() is None, "the run ended early"
        assert time.monotonic() < deadline, "the run never came that far"
        time.sleep(0.05)
    os.killpg(process.pid, by)  # as a terminal does on Ctrl-C: to the command and all that it started
    process.wait(patience)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> dict:
    """A run that Ctrl-C stopped in its distillation, that was killed in its quantization, and then finished."""
    # A shell without job control starts its background jobs with SIGINT ignored, and a child inherits that; a signal
    # that is handled here has its default again in the child.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = tmp_path_factory.mktemp("pipeline")
    config, workdir = configuration(folder), folder / "run"
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "200"}
    seen, ended = {}, {}
    for phase, by in (("distillation", signal.SIGINT), ("quantization", signal.SIGKILL)):
        said = folder / f"{phase}.log"
        with (
            said.open("w") as file,
            subprocess.Popen(
                command(config, workdir), stdout=file, stderr=file, env=environment, start_new_session=True
            ) as process,
        ):
            stop_when(process, lambda phase=phase: len(rows(workdir, phase)) >= 1, by)
        seen[phase], ended[phase] = rows(workdir, phase), (process.returncode, said.read_text())
    signal.signal(signal.SIGINT, before)
    again = shlex.split(ended["distillation"][1].splitlines()[-1].partition(": ")[2])
    done = prepared_process.run(again, environment=environment)
    assert done.returncode == 0, done.stderr
    return {
        "workdir": workdir,
        "output": done.stdout,
        "seen": seen,
        "ended": ended,
        "config": config,
        "environment": environment,
    }


@pytest.mark.slow
class TestFinishedRun:
    def test_every_epoch_stands_once_and_those_before_the_kill_stand_still(self, finished):
        for phase, epochs in (("distillation", DISTILLATION_EPOCHS), ("quantization", 2)):
            now = rows(finished["workdir"], phase)
            assert [int(row["epoch"]) for row in now] == list(range(1, epochs + 1))
            # The last one seen may have been noted but not checkpointed, and is then done again.
            before = finished["seen"][phase][:-1]
            assert now[: len(before)] == before

    def test_ctrl_c_is_130_and_one_line_with_the_very_command(self, finished):
        code, said = finished["ended"]["distillation"]
        assert code == 130, said
        assert "Traceback" not in said
        typed = shlex.join(command(finished["config"], finished["workdir"]))
        assert said.splitlines()[-1] == f"interrupted; to resume: {typed}"

    def test_tensorboard_reads_the_epochs(self, finished):
        from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
        from tensorboard.util.tensor_util import make_ndarray

        logs = EventMultiplexer(size_guidance={"tensors": 0}).AddRunsFromDirectory(
            str(finished["workdir"] / "tensorboard")
        )
        logs.Reload()
        for phase in ("distillation", "quantization"):
            for part, column in (("train", "accuracy"), ("validation", "val_accuracy")):
                # An epoch that was done again after a stop stands there twice: the last one counts.
                told = {
                    event.step: float(make_ndarray(event.tensor_proto))
                    for event in logs.Tensors(f"{phase}/{part}", "epoch_accuracy")
                }
                noted = {int(row["epoch"]) - 1: float(row[column]) for row in rows(finished["workdir"], phase)}
                assert told == pytest.approx(noted), (phase, part)

    def test_the_seconds_of_each_step_are_told(self, finished):
        results = json.loads((finished["workdir"] / "metrics.json").read_text())
        told = {}
        for line in finished["output"].splitlines():
            cells = [cell.strip() for cell in line.split("│")[1:-1]]
            if len(cells) == 2:
                told[cells[0]] = cells[1]
        for name, step in results.items():
            assert told[name] == f"{step['seconds']:,.1f}"
        assert told["all"] == f"{sum(step['seconds'] for step in results.values()):,.1f}"

    def test_the_folder_holds_what_it_promises(self, finished):
        workdir = finished["workdir"]
        for name in (
            "config.json",
            "split.json",
            "metrics.csv",
            "metrics.json",
            "student.keras",
            "student_qat.h5",
            "student_int8.tflite",
            "test_answers.npz",
            "report.html",
            "model_card.md",
            "firmware/model_data.cc",
            "firmware/model_data.h",
        ):
            assert (workdir / name).stat().st_size > 0, name
        assert list((workdir / "tensorboard").rglob("events*"))
        assert not [path for path in workdir.rglob(".*") if path.is_file()], "temporary files left"

    def test_config_json_is_the_configuration(self, finished):
        written = json.loads((finished["workdir"] / "config.json").read_text())
        assert from_dict(written, "test") == load(str(finished["config"]))

    def test_split_is_disjoint_and_its_digest_is_told(self, finished):
        split = json.loads((finished["workdir"] / "split.json").read_text())
        parts = [set(map(str, split[part])) for part in ("train", "validation", "test")]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 400
        results = json.loads((finished["workdir"] / "metrics.json").read_text())
        assert results["data"]["split_sha256"] == split["sha256"]

    def test_scores_of_every_form_and_costs(self, finished):
        results = json.loads((finished["workdir"] / "metrics.json").read_text())
        assert {"float", "ptq", "qat", "int8", "teacher one", "teacher two"} < set(results["test"])
        assert results["distillation"]["parameters"] == 98_522
        assert results["firmware"]["flash_bytes"] == (finished["workdir"] / "student_int8.tflite").stat().st_size
        assert set(results["test"]["cost"]) == {"teacher one", "teacher two", "float", "int8"}
        assert results["test"]["cost"]["float"]["macs"] == results["test"]["cost"]["int8"]["macs"]
        assert results["test"]["noise"]["images"] == results["data"]["test"]
        assert results["test"]["noise"]["int8"]["clean"] == results["test"]["int8"]["accuracy"]
        for word in ("98,522", f"{results['firmware']['arena_bytes']:,}", "float", "QAT", "int8"):
            assert word in finished["output"]

    def test_the_report_shows_every_part(self, finished):
        page = (finished["workdir"] / "report.html").read_text()
        results = json.loads((finished["workdir"] / "metrics.json").read_text())
        # Two phases, weights, cases, confusion, reliability of three, four corruptions, risk against coverage on
        # validation and on test images, and guidance.
        assert page.count("<svg ") == 2 + 2 + 1 + 3 + 4 + 2 + 1
        assert results["data"]["split_sha256"] in page
        assert f"{results['test']['cost']['teacher one']['parameters']:,}" in page

    def test_the_int8_model_is_four_operators_and_reads_pixels(self, finished):
        graph = read((finished["workdir"] / "student_int8.tflite").read_bytes()).graph
        assert graph.operator_names == ("ADD", "CONV_2D", "FULLY_CONNECTED", "MEAN")
        assert graph.has_unit_input
        assert graph.inputs[0].shape == (1, SIZE, SIZE, 3)
        assert graph.macs == json.loads((finished["workdir"] / "metrics.json").read_text())["distillation"]["macs"]

    def test_the_command_that_the_files_quote_makes_them_again(self, finished, tmp_path):
        folder = tmp_path / "copy"
        shutil.copytree(finished["workdir"], folder)
        quoted = next(
            line.removeprefix("//").strip()
            for line in (folder / "firmware" / "model_data.h").read_text().splitlines()
            if "python -m firmware_export" in line
        )
        shutil.rmtree(folder / "firmware")
        arguments = shlex.split(quoted)
        # What this process chose for TensorFlow must not help the command to the same bytes.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        done = subprocess.run(
            [sys.executable, *arguments[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        for path in (finished["workdir"] / "firmware").iterdir():
            assert (folder / "firmware" / path.name).read_bytes() == path.read_bytes(), path.name

    def test_the_float_student_is_read_by_keras_alone(self, finished):
        student = tf_keras.models.load_model(finished["workdir"] / "student.keras")
        assert student(np.zeros((1, SIZE, SIZE, 3), np.float32)).shape == (1, 10)

    def test_called_again_it_only_tells(self, finished):
        before = {path: path.stat().st_mtime_ns for path in finished["workdir"].rglob("*") if path.is_file()}
        again = prepared_process.run(
            command(finished["config"], finished["workdir"]), environment=finished["environment"]
        )
        assert again.returncode == 0, again.stderr
        assert again.stdout == finished["output"][-len(again.stdout) :]
        assert before == {path: path.stat().st_mtime_ns for path in finished["workdir"].rglob("*") if path.is_file()}

    def test_damaged_files_are_made_again_without_training(self, finished, tmp_path):
        folder = tmp_path / "copy"
        shutil.copytree(finished["workdir"], folder)
        before = (folder / "student_int8.tflite").read_bytes()
        for file in ("student.keras", "student_int8.tflite"):
            damage(folder / file, seed=1)
        words = command(finished["config"], folder)
        words[2] = "keras_satkd.quantize"  # without the export, which begins with these files
        again = prepared_process.run(words, environment=finished["environment"])
        assert again.returncode == 0, again.stderr
        assert "student.keras, student_int8.tflite damaged or missing, so these steps are repeated" in again.stderr
        assert (folder / "student_int8.tflite").read_bytes() == before
        assert rows(folder, "distillation") == rows(finished["workdir"], "distillation")
        assert rows(folder, "quantization") == rows(finished["workdir"], "quantization")


@pytest.mark.slow
def test_the_advice_of_a_refused_export_can_be_followed_in_the_same_folder(tmp_path, monkeypatch, caplog):
    names = []
    for seed, name in enumerate(("one", "two")):
        tiny_network(10, 16, seed).save(tmp_path / f"{name}.keras")
        names.append(str(tmp_path / f"{name}.keras"))
    tiny_network(10, 16, 2).save(tmp_path / "small.keras")
    values = {
        "student": str(tmp_path / "small.keras"),
        "data": {"source": "synthetic", "synthetic_images": 400, "image_size": 16},
        "teachers": {"names": names, "accept_weak": True},
        "distillation": {"epochs": 1, "batch_size": 70, "views": 1},
        "quantization": {"epochs": 1, "batch_size": 70},
    }

    def refuse(*_) -> None:
        raise UserError("more --quantization.calibration-images")

    monkeypatch.setattr(steps, "export_firmware", refuse)
    with pytest.raises(UserError, match="calibration-images"):
        steps.distil(Run(tmp_path / "run", from_dict(values, "test")))
    before = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(before) == ["data", "distillation", "quantization", "int8"]
    student = (tmp_path / "run" / "student.keras").stat().st_mtime_ns
    values["quantization"]["calibration_images"] = 280
    with pytest.raises(UserError, match="calibration-images"):
        steps.distil(Run(tmp_path / "run", from_dict(values, "test")))
    after = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(after) == list(before)
    assert after["distillation"] == before["distillation"]
    assert (tmp_path / "run" / "student.keras").stat().st_mtime_ns == student
    assert [row["phase"] for row in history.read(tmp_path / "run" / "metrics.csv")] == ["distillation", "quantization"]
    assert "quantization.calibration_images changed, so these steps are repeated: quantization, int8" in caplog.text


def refused(monkeypatch, capfd, tmp_path, *arguments: str) -> str:
    """What a command line that must fail says, once its exit code and manners are checked."""
    workdir = tmp_path / "never"
    monkeypatch.setattr(sys, "argv", ["distill", "--config", "demo", *arguments, "--workdir", str(workdir)])
    with pytest.raises(SystemExit) as stop:
        distill.main()
    said = capfd.readouterr().err.strip()
    assert stop.value.code == 2
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: ")
    assert not workdir.exists(), "a run that could not begin left a folder"
    return said.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "absent/images.zip"], "absent/images.zip"),
        (["--student", "resnet9"], "did you mean 'resnet8'"),
        (["--teachers.names", "efficientvit_n0"], "did you mean 'efficientvit_m0'"),
        (["--teachers.epochs", "-1"], "teachers.epochs is -1"),
        (["--distillation.initial-weights", "resnet16_eurosat.keras"], "is no float resnet8"),
        (["--distillation.temperature", "0"], "distillation.temperature is 0"),
        (["--distillation.weighting.confidence-threshold", "1.2"], "confidence_threshold is 1.2"),
        (["--teachers.names", "mobilevit_xxs", "--distillation.weighting.rule", "paper-batch"], "two teachers, not 1"),
        (["--data.synthetic-images", "300"], "240 training and validation images, but the export needs 256"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(monkeypatch, capfd, tmp_path, arguments, said):
    assert said in refused(monkeypatch, capfd, tmp_path, *arguments)


def test_a_precision_that_the_processor_lacks(monkeypatch, capfd, tmp_path):
    monkeypatch.setattr("keras_satkd.training.fit._kernels_take_bfloat16", lambda: False)
    arguments = ["--distillation.mixed-precision", "on"]
    assert "mixed_precision is 'on', but" in refused(monkeypatch, capfd, tmp_path, *arguments)


def test_a_teacher_of_other_classes(monkeypatch, capfd, tmp_path):
    tiny_network(classes=4).save(tmp_path / "four.keras")
    arguments = ["--teachers.names", str(tmp_path / "four.keras"), "--data.synthetic-images", "60"]
    assert "has 4 classes, the data has 10" in refused(monkeypatch, capfd, tmp_path, *arguments)


def test_an_empty_folder_of_images(monkeypatch, capfd, tmp_path):
    (tmp_path / "images").mkdir()
    assert "images" in refused(monkeypatch, capfd, tmp_path, "--data", str(tmp_path / "images"))


def test_a_finished_run_refuses_a_changed_sensor(tmp_path, capsys):
    (tmp_path / "mine.toml").write_text("snr = 20")
    run = made_up_run.finished(tmp_path / "run", sensor=str(tmp_path / "mine.toml"))
    run.step(REPORT, lambda: report(run))
    steps.distil(run)
    assert "report.html" in capsys.readouterr().out
    (tmp_path / "mine.toml").write_text("snr = 30")
    with pytest.raises(UserError, match=r"was made with snr\.value=20\.0 \(now 30\.0\)"):
        steps.distil(run)
    (tmp_path / "mine.toml").unlink()
    steps.distil(run)


@pytest.mark.slow
def test_a_run_on_13_bands(tmp_path):
    """A teacher with a first layer for all bands, the student, quantization-aware training and int8."""
    names = tuple(f"B{band:02}" for band in range(1, 14))
    raster_folder(tmp_path / "scenes", 24, bands=13, size=32, names=names)
    once = {"epochs": 1, "batch_size": 16}
    config = from_dict(
        {
            "data": {"source": str(tmp_path / "scenes"), "cache_dir": str(tmp_path / "cache"), "image_size": 32},
            "teachers": {
                "names": ["mobilevit_xxs@64"],
                "initial_weights": "none",
                "bands": "all",
                "accept_weak": True,
                **once,
            },
            "distillation": {"views": 1, "epochs": 4, "batch_size": 16},
            "quantization": once,
        },
        "test",
    )
    run = Run(tmp_path / "run", config)
    steps.quantize_only(run)
    described = json.loads(run.path("teachers", "mobilevit_xxs@64", "teacher.json").read_text())
    assert described["bands"] == ["B04", "B03", "B02", *(name for name in names if name not in ("B02", "B03", "B04"))]
    model = read(run.path("student_int8.tflite").read_bytes())
    assert model.graph.input_shape == (32, 32, 13)
    assert model.graph.has_unit_input
    found = classifier.load(str(run.path("student_int8.tflite")))
    assert (found.channels, found.scaling.bands.names) == (13, names)
    teacher = classifier.load(str(run.path("teachers", "mobilevit_xxs@64")), image_size=32)
    images = np.zeros((2, 32, 32, 13), np.uint8)
    assert found.logits(images).shape == teacher.logits(images).shape == (2, 2)
