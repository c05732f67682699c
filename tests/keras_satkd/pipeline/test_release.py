import hashlib
import json

import numpy as np
import pytest
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.config import Config, DataConfig
from keras_satkd.config_io import from_dict, to_dict
from keras_satkd.config_io import load as preset
from keras_satkd.data.sources import load
from keras_satkd.data.splits import split
from keras_satkd.models import teachers
from keras_satkd.pipeline import release
from keras_satkd.pipeline.inputs import begin
from keras_satkd.run import stages
from keras_satkd.run.folder import Run
from keras_satkd.run.results import TeacherResult
from keras_satkd.run.stages import DATA


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
