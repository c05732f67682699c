import dataclasses
import hashlib
import json

import numpy as np
import pytest
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from firmware_export.common.files import write_bytes, write_json
from firmware_export.tflite.convert import float_to_int8
from keras_satkd.config import CameraConfig, Config, DistillationConfig, TeachersConfig, WeightingConfig
from keras_satkd.config_io import from_dict, to_dict
from keras_satkd.config_io import load as preset
from keras_satkd.data.sources import load
from keras_satkd.data.splits import split
from keras_satkd.evaluation import classifier
from keras_satkd.models import students, teachers
from keras_satkd.pipeline import inputs, release
from keras_satkd.pipeline.inputs import begin
from keras_satkd.run import stages
from keras_satkd.run.artifacts import INT8_FILE, STUDENT_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.results import DistillationResult, Int8Result, TeacherResult
from keras_satkd.run.stages import DATA, DISTILLATION, INT8
from keras_satkd.settings.data_config import DataConfig


def test_half_precision_is_read_as_the_other_is(tmp_path):
    network, again = tiny_network(seed=1), tiny_network(seed=2)
    network.save_weights(tmp_path / "wide.weights.h5")
    release.halve_precision(tmp_path / "wide.weights.h5", tmp_path / "narrow.weights.h5")
    again.load_weights(tmp_path / "narrow.weights.h5")
    for wide, narrow in zip(network.get_weights(), again.get_weights(), strict=True):
        assert narrow.dtype == np.float32
        np.testing.assert_array_equal(narrow, wide.astype(np.float16).astype(np.float32))


def test_a_run_that_finished_nothing(tmp_path):
    config = Config(data=DataConfig(source="synthetic", synthetic_images=40, image_size=8))
    run = Run(tmp_path / "run", config)
    begin(run, split(load(config.data), config.data))
    with pytest.raises(UserError, match="neither a teacher nor a student"):
        release.ship(tmp_path / "run", tmp_path / "out", "scenes")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_teacher_is_shipped_with_the_scores_of_its_very_file(tmp_path):
    name = "mobilevit_xxs@64"
    values = to_dict(preset("eurosat"))
    values["data"] |= {"source": "synthetic", "synthetic_images": 60}
    values["teachers"] |= {"names": [name]}
    config = from_dict(values, "test")
    run = Run(tmp_path / "run", config)
    begin(run, split(load(config.data), config.data))
    teacher = teachers.build(name, 10, "none")
    teachers.save(teacher, run.results[DATA].classes, {}, run.path("teachers", name))
    origin = {"sha256": "of other weights", "hours": 1.5}
    run.step(stages.teacher(name), lambda: TeacherResult(initial_weights=origin))
    [folder] = release.ship(tmp_path / "run", tmp_path / "out", "scenes")
    assert folder == tmp_path / "out" / "mobilevit_xxs_scenes"
    told = json.loads((folder / "teacher.json").read_text())
    assert told["sha256"] == hashlib.sha256((folder / "teacher.weights.h5").read_bytes()).hexdigest()
    assert told["began_from"] == origin
    assert told["split_sha256"] == run.results[DATA].split_sha256
    assert (
        told["command"]
        == f"python -m keras_satkd.teach --data.source synthetic --data.synthetic-images 60 --teachers.names {name}"
    )
    shipped = teachers.load(str(folder))
    test = split(load(config.data), config.data).test
    accuracy = np.mean(shipped.logits(test.images).numpy().argmax(axis=1) == test.labels)
    assert told["test"]["accuracy"] == pytest.approx(accuracy)


@pytest.mark.slow
def test_an_int8_model_is_shipped_with_its_threshold_and_the_runs_sensor(tmp_path):
    (tmp_path / "mine.toml").write_text("snr = 20")
    config = Config(
        data=DataConfig(source="synthetic", synthetic_images=60, image_size=16),
        camera=CameraConfig(sensor=str(tmp_path / "mine.toml")),
        distillation=DistillationConfig(weighting=WeightingConfig(rule="none")),
    )
    run = Run(tmp_path / "run", config)
    divided = inputs.prepare(run).split
    (tmp_path / "mine.toml").unlink()
    student = students.build("resnet8", 16, 10)
    student.save(run.path(STUDENT_FILE))
    model = float_to_int8(student, divided.train.images)
    run.path(INT8_FILE).write_bytes(model)
    run.step(DISTILLATION, lambda: DistillationResult(STUDENT_FILE, 1, 2))
    run.step(INT8, lambda: Int8Result(INT8_FILE, len(model)))
    export = {"given_sha256": hashlib.sha256(model).hexdigest(), "unsure": {"least_margin": 3, "error_rate": 0.02}}
    write_json(run.path("firmware", "export.json"), export)
    for ending in (".keras", "_int8.tflite"):  # of another run
        earlier = tmp_path / "out" / f"resnet8_scenes{ending}"
        write_bytes(earlier, b"other weights")
        write_json(earlier.with_suffix(".json"), {"sha256": hashlib.sha256(b"other weights").hexdigest()})
    _, path = release.ship(run.workdir, tmp_path / "out", "scenes")
    assert len(list((tmp_path / "out").iterdir())) == 4
    told = json.loads(path.with_suffix(".json").read_text())
    assert path.name == "resnet8_scenes_int8.tflite"
    assert told["least_margin"] == 3
    assert told["sensor"]["snr"] == {"value": 20.0, "range": [10.0, 40.0]}
    assert told["test"]["behind"]["sensor"] == "mine"
    [clean, mine] = told["test"]["risk"]["curves"]
    assert set(clean) == set(mine) == {"sensor", "area", "at_threshold"}
    assert classifier.load(str(path)).threshold == 3


def test_a_schedule_names_no_folder_of_this_machine():
    config = TeachersConfig(names=("/home/me/one.keras", "efficientvit_m2@128"), initial_weights="runs/two")
    told = release._without_folders(dataclasses.asdict(config))
    assert told["names"] == ["one.keras", "efficientvit_m2@128"]
    assert told["initial_weights"] == "two"
    assert told["learning_rate"] == config.learning_rate
