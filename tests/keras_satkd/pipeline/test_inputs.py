import dataclasses

import pytest

from firmware_export.common.errors import UserError
from keras_satkd.config import Config, DataConfig, TeachersConfig, WeightingConfig
from keras_satkd.models import pretrained, teacher_zoo
from keras_satkd.pipeline import inputs
from keras_satkd.run import stages
from keras_satkd.run.folder import Run
from keras_satkd.run.results import TeacherResult
from keras_satkd.run.stages import DATA

SMALL = Config(
    data=DataConfig(source="synthetic", synthetic_images=40, image_size=16),
    teachers=TeachersConfig(names=("efficientvit_m0@64", "mobilevit_xxs@64"), initial_weights="none"),
)


def changed(**groups) -> Config:
    parts = {name: dataclasses.replace(getattr(SMALL, name), **values) for name, values in groups.items()}
    return dataclasses.replace(SMALL, **parts)


@pytest.fixture
def _offline(monkeypatch):
    monkeypatch.setattr(teacher_zoo, "_with_imagenet_weights", lambda *_: None)


def test_the_run_is_claimed_with_its_split(tmp_path):
    run = Run(tmp_path / "run", SMALL)
    found = inputs.prepare(run)
    assert found.teachers == {"efficientvit_m0@64": None, "mobilevit_xxs@64": None}
    assert found.teachers_of_teachers == []
    assert run.results[DATA].train == len(found.split.train)
    assert run.results[DATA].split_sha256 == found.split.sha256
    assert {path.name for path in run.workdir.iterdir()} >= {"config.json", "metrics.json", "split.json"}


@pytest.mark.usefixtures("_offline")
def test_without_imagenet_weights_nothing_is_claimed_and_the_advice_works(tmp_path):
    with pytest.raises(UserError, match=r"go online, or use --teachers\.initial-weights none"):
        inputs.prepare(Run(tmp_path / "run", changed(teachers={"initial_weights": "imagenet"})))
    assert not (tmp_path / "run").exists()
    inputs.prepare(Run(tmp_path / "run", SMALL))


@pytest.mark.usefixtures("_offline")
def test_weights_that_are_not_needed_any_more_are_not_asked_for(tmp_path):
    config = changed(teachers={"initial_weights": "imagenet"})
    run = Run(tmp_path / "run", config)
    run.claim()
    for name in config.teachers.names:
        run.step(stages.teacher(name), TeacherResult)
    inputs.prepare(Run(tmp_path / "run", config))


@pytest.mark.usefixtures("_offline")
def test_a_run_without_teachers_asks_for_no_weights_unless_it_fine_tunes_them(tmp_path):
    config = changed(teachers={"initial_weights": "imagenet"}, distillation={"weighting": WeightingConfig(rule="none")})
    with pytest.raises(UserError, match="ImageNet weights are not available"):
        inputs.prepare(Run(tmp_path / "teachers", config), fine_tunes_only=True)
    inputs.prepare(Run(tmp_path / "run", config))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"firmware": {"symbol": "9lives"}}, "symbol '9lives' is not a C identifier"),
        (
            {
                "teachers": {"taught_by": (pretrained.EUROSAT_TEACHERS[0],)},
                "distillation": {"weighting": WeightingConfig(rule="paper-batch")},
            },
            "for two teachers, not 1",
        ),
        (
            {"teachers": {"initial_weights": pretrained.EUROSAT_TEACHERS[0]}},
            "does not contain the weights of teacher efficientvit_m0@64",
        ),
    ],
)
def test_what_later_steps_would_refuse_is_refused_before_anything_is_claimed(tmp_path, groups, message):
    with pytest.raises(UserError, match=message):
        inputs.prepare(Run(tmp_path / "run", changed(**groups)))
    assert not (tmp_path / "run").exists()
