import dataclasses

import numpy as np
import pytest

from firmware_export.common.errors import UserError
from keras_satkd.config import Config, DistillationConfig, TeachersConfig, WeightingConfig
from keras_satkd.data.splits import Split
from keras_satkd.pipeline import distil
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import DISTILLATION
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.training.teacher_logits import TeacherTargets


@pytest.fixture
def split(image_set):
    return Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")


def run_of(tmp_path, rule: str, *, accepts_weak: bool = True) -> Run:
    data = DataConfig(image_size=16, cache_dir=str(tmp_path / "cache"))
    distillation = DistillationConfig(epochs=1, batch_size=10, views=1, weighting=WeightingConfig(rule=rule))
    teachers = TeachersConfig(accept_weak=accepts_weak)  # those of these tests are not trained
    config = dataclasses.replace(Config(), data=data, distillation=distillation, teachers=teachers)
    run = Run(tmp_path / "run", config)
    run.claim()
    return run


def test_the_student_is_trained_once_and_its_teachers_are_noted(tmp_path, split, teacher):
    run, one = run_of(tmp_path, "confidence"), teacher("one", 1)
    _, targets = distil.taught(run, Inputs(split, {"one": one}, []))
    student = distil.distil_student(run, split, targets)
    found = run.results[DISTILLATION]
    assert found.teachers == {"one": one.digest()}
    assert found.calibration == {"one": targets.calibration[0]}
    assert found.initial_weights is None
    again = distil.distil_student(run, split, targets)
    for one_weights, other in zip(student.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one_weights, other)


def test_a_teacher_near_chance_stops_the_run_before_it_sees_a_training_image(tmp_path, split, teacher):
    run = run_of(tmp_path, "confidence", accepts_weak=False)
    with pytest.raises(UserError, match=r"teacher one has .* % of the validation images right"):
        distil.taught(run, Inputs(split, {"one": teacher("one", 1)}, []))
    assert len(list((tmp_path / "cache" / "views").glob("*.npy"))) == 1  # the logits of the validation images


def test_without_teachers_none_is_trained(tmp_path, split):
    run = run_of(tmp_path, "none")
    _, targets = distil.taught(run, Inputs(split, {"efficientvit_m0@64": None}, []))
    assert targets.teachers == ()
    assert not run.results


class _Trains(Exception):
    """Ends a run where a training would begin."""


def test_the_student_has_the_class_weights_of_distillation(tmp_path, split, monkeypatch):
    def train(*arguments, class_weights, **settings):
        raise _Trains(class_weights)

    monkeypatch.setattr(distil, "train", train)
    run = run_of(tmp_path, "none")
    run.config = dataclasses.replace(
        run.config, distillation=dataclasses.replace(run.config.distillation, class_weights="balanced")
    )
    with pytest.raises(_Trains, match="balanced"):
        distil.distil_student(run, split, TeacherTargets((), "none"))


def test_a_run_goes_on_under_the_same_teachers_only(tmp_path, split, teacher, monkeypatch):
    def train(*arguments, **settings):
        raise _Trains

    reordered = dataclasses.replace(teacher("one", 1), order=(1, 0, 2))
    first, other = (
        distil.taught(run_of(tmp_path / each.name, "confidence"), Inputs(split, {each.name: each}, []))[1]
        for each in (teacher("one", 1), teacher("two", 1))
    )
    changed = dataclasses.replace(first, teachers=(reordered,))
    run = run_of(tmp_path, "confidence")
    with monkeypatch.context() as patched:
        patched.setattr(distil, "train", train)
        for targets in (first, first, other):
            with pytest.raises(_Trains):
                distil.distil_student(run, split, targets)
        with pytest.raises(UserError, match=r"teachers that have changed since: .* restore one with its settings"):
            distil.distil_student(run, split, changed)
    distil.distil_student(run, split, first)
    with pytest.raises(UserError, match="teachers that have changed since"):
        distil.distil_student(run, split, changed)
