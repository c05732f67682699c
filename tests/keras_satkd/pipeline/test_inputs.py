import dataclasses
import json

import pytest
from PIL import Image

from firmware_export.common.errors import UserError
from keras_satkd.config import Config, DataConfig, TeachersConfig, WeightingConfig
from keras_satkd.models import pretrained, teacher_zoo
from keras_satkd.pipeline import inputs
from keras_satkd.run import stages
from keras_satkd.run.folder import Run
from keras_satkd.run.results import DistillationResult, TeacherResult
from keras_satkd.run.stages import DATA, DISTILLATION

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


def test_other_images_than_those_of_the_finished_steps_are_refused(tmp_path):
    workdir = tmp_path / "run"
    inputs.prepare(Run(workdir, SMALL))
    values = json.loads((workdir / "metrics.json").read_text())
    values["data"]["split_sha256"] = "0" * 64
    (workdir / "metrics.json").write_text(json.dumps(values))
    before = {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="was made with other images than synthetic has now: give the same images"):
        inputs.prepare(Run(workdir, SMALL))
    assert before == {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}


def lowering(workdir, config) -> Run:
    run = Run(workdir, config)
    run.lowers = True
    return run


WITHOUT_TEACHERS = WeightingConfig(rule="none")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"teachers": {"schedule": "plateau"}}, "schedule 'plateau' cannot be exported"),
        ({"teachers": {"augmentation": "randaugment"}}, "augmentation 'randaugment' cannot be exported"),
        ({"distillation": {"schedule": "plateau", "weighting": WITHOUT_TEACHERS}}, "schedule 'plateau'"),
        (
            {
                "teachers": {"names": ("shipped:efficientvit_m2_eurosat",)},
                "data": {"source": "synthetic"},
                "distillation": {"teacher_logits": "in-loop"},
            },
            "teachers in the loop cannot be exported",
        ),
    ],
)
def test_a_training_that_no_program_can_hold_is_refused_before_the_folder_is_claimed(tmp_path, groups, message):
    with pytest.raises(UserError, match=message):
        inputs.prepare(lowering(tmp_path / "run", changed(**groups)))
    assert not (tmp_path / "run").exists()


def test_only_the_next_training_must_fit_into_a_program(tmp_path):
    groups = {"quantization": {"schedule": "plateau"}, "distillation": {"weighting": WITHOUT_TEACHERS}}
    run = lowering(tmp_path / "run", changed(**groups))
    found = inputs.prepare(run)
    run.step(DISTILLATION, lambda: DistillationResult("student.keras", 1, 1))
    with pytest.raises(UserError, match="schedule 'plateau' cannot be exported"):
        inputs.begin(run, found.split)


def test_classes_that_no_command_can_quote_are_refused_before_anything_is_claimed(tmp_path):
    for name in ("-cloud", "-clear"):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(folder / "0.png")
    with pytest.raises(UserError, match="'-cloud' begins with '-'"):
        inputs.prepare(Run(tmp_path / "run", changed(data={"source": str(tmp_path / "images")})))
    assert not (tmp_path / "run").exists()
