import json

import pytest

from keras_satkd.camera.training import Mixture
from keras_satkd.config import CameraConfig, Config, DistillationConfig, MixingConfig, TeachersConfig
from keras_satkd.data.splits import Split
from keras_satkd.pipeline import teach
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run import history, stages
from keras_satkd.run.folder import Run
from keras_satkd.settings.data_config import DataConfig

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


class _Trains(Exception):
    """Ends a run where a training would begin."""


def test_the_teachers_of_a_teacher_see_what_the_configuration_says(tmp_path, image_set, teacher, monkeypatch):
    split = Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")
    config = Config(
        data=DataConfig(cache_dir=str(tmp_path / "cache")),
        camera=CameraConfig(teachers_see="clean"),
        teachers=TeachersConfig(
            names=(NAME,),
            initial_weights="none",
            mixing=MixingConfig(method="cutmix"),
            accept_weak=True,
            class_weights="balanced",
        ),
        distillation=DistillationConfig(views=1),
    )
    found = []

    def train(network, split, targets, *arguments, **settings):
        found.append((targets, settings["class_weights"]))
        raise _Trains

    monkeypatch.setattr(teach, "train", train)
    run = Run(tmp_path / "run", config)
    run.claim()
    with pytest.raises(_Trains):
        teach.teach(run, Inputs(split, {NAME: None}, [teacher("one", 1)], Mixture()))
    [(targets, class_weights)] = found
    assert class_weights == "balanced"
    assert targets.mixing == config.teachers.mixing
    assert targets.camera == Mixture()
    # The camera's seeds would be there had it disturbed what the teacher saw.
    assert targets.training.camera_seeds is None
    assert targets.training.mixing_draws.shape == (30, 1, 5)


@pytest.mark.slow
def test_a_teacher_is_fine_tuned_under_its_own_teacher(tmp_path, image_set, teacher):
    split = Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")
    config = Config(
        data=DataConfig(cache_dir=str(tmp_path / "cache")),
        teachers=TeachersConfig(names=(NAME,), initial_weights="none", epochs=1, batch_size=15, accept_weak=True),
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
