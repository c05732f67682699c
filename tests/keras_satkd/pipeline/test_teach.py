import json

import pytest

from keras_satkd.config import Config, DataConfig, DistillationConfig, TeachersConfig
from keras_satkd.data.splits import Split
from keras_satkd.pipeline import teach
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run import history, stages
from keras_satkd.run.folder import Run

NAME = "mobilevit_xxs@64"


def test_a_trained_teacher_is_taken_as_it_is(tmp_path, image_set, teacher):
    split = Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")
    run, one = Run(tmp_path / "run", Config()), teacher("one", 1)
    assert teach.teach(run, Inputs(split, {"one": one}, [])) == [one]
    assert not run.results


def test_the_temperature_of_a_teacher_is_fitted_on_validation_images(image_set, teacher):
    split = Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")
    scores = teach.validation_scores(teacher("one", 1), split)
    assert {"accuracy", "ece", "temperature"} <= set(scores)


@pytest.mark.slow
def test_a_teacher_is_fine_tuned_under_its_own_teacher(tmp_path, image_set, teacher):
    split = Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")
    config = Config(
        data=DataConfig(cache_dir=str(tmp_path / "cache")),
        teachers=TeachersConfig(names=(NAME,), initial_weights="none", epochs=1, batch_size=15),
        distillation=DistillationConfig(views=1),
    )
    run = Run(tmp_path / "run", config)
    run.claim()
    [trained] = teach.teach(run, Inputs(split, {NAME: None}, [teacher("one", 1)]))
    assert trained.class_names == split.train.class_names
    found = run.results[stages.teacher(NAME)]
    assert found.initial_weights is None
    [row] = history.of_phases(run.path(history.FILE), [f"teacher-{NAME}"])
    assert float(row["weight_one"]) == pytest.approx(1.0)
    description = json.loads(run.path("teachers", NAME, "teacher.json").read_text())
    assert description["scores"] == {"validation": found.validation}
    # The second call reads it.
    assert teach.teach(run, Inputs(split, {NAME: None}, [])) != [None]
    assert len(history.read(run.path(history.FILE))) == 1
