import dataclasses
import shutil

import numpy as np
import pytest
import tf_keras

from keras_satkd.config import Config, DistillationConfig, WeightingConfig
from keras_satkd.data.splits import Split
from keras_satkd.models import student_registry, students
from keras_satkd.pipeline import distil, rounds
from keras_satkd.run import history, stages
from keras_satkd.run.artifacts import STUDENT_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.results import ROUND, RoundResult, TeacherResult
from keras_satkd.run.results_file import Results
from keras_satkd.run.stages import Stage, earlier_round, stage_of_phase, step_of
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.training.teacher_logits import TeacherTargets

ROUNDS = 2
STUDENT = "tiny of rounds"
NO_TEACHERS = TeacherTargets((), "dihedral")


def build(image_size, classes, channels):
    layers = tf_keras.layers
    image = layers.Input((image_size, image_size, channels))
    features = layers.ReLU(name="relu")(layers.Conv2D(4, 3, 4, name="convolution")(image))
    return tf_keras.Model(image, layers.Dense(classes, name="logits")(layers.GlobalAveragePooling2D()(features)))


def run_of(workdir, **settings) -> Run:
    student_registry.register(STUDENT, build)
    weighting = WeightingConfig(rule="none", distillation_share=0.7)
    distillation = DistillationConfig(epochs=1, batch_size=10, views=1, rounds=ROUNDS, weighting=weighting, **settings)
    data = DataConfig(image_size=16, cache_dir=str(workdir.parent / "cache"))
    # Students of two epochs may be near chance.
    teachers = dataclasses.replace(Config().teachers, accept_weak=True)
    config = dataclasses.replace(Config(), data=data, distillation=distillation, student=STUDENT, teachers=teachers)
    run = Run(workdir, config)
    run.claim()
    return run


@pytest.fixture
def split(image_set):
    return Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")


def test_a_round_is_taught_by_the_student_before_and_an_interrupted_one_goes_on(tmp_path, split):
    run = run_of(tmp_path / "run")
    student = distil.distil_student(run, split, NO_TEACHERS)
    phases = dict.fromkeys(row["phase"] for row in history.read(run.path(history.FILE)))
    assert list(phases) == ["distillation-1", "distillation"]
    rows = history.of_phases(run.path(history.FILE), ["distillation"])
    assert {row["weight_round 1"] for row in rows} == {"1.0"}

    [(name, first)] = rounds.earlier_students(run).items()
    logits = first.predict(split.validation.images / np.float32(255), verbose=0)
    found = run.results[earlier_round(1)].validation["accuracy"]
    assert (name, found) == (f"{ROUND}1", np.mean(logits.argmax(axis=1) == split.validation.labels))
    settings, targets = rounds.taught(run, split, NO_TEACHERS, 2)
    np.testing.assert_allclose(targets.validation.logits[:, 0, 0], logits, rtol=2e-3, atol=2e-3)  # kept in float16
    assert (settings.weighting.rule, settings.weighting.distillation_share) == ("static", 0.7)
    assert any((one != two).any() for one, two in zip(student.get_weights(), first.get_weights(), strict=True))

    # As a kill after the first round leaves it.
    run.results = Results({step.name: run.results[step].to_json() for step in [earlier_round(1)]})
    shutil.rmtree(run.path("checkpoints", "distillation"))
    history.drop_phases(run.path(history.FILE), ["distillation"])
    run.path(STUDENT_FILE).unlink()
    again = distil.distil_student(run, split, NO_TEACHERS)
    for one, two in zip(student.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_students_of_rounds_are_removed_when_a_setting_changes(tmp_path):
    run = run_of(tmp_path / "run")
    run.step(stages.teacher("one"), TeacherResult)
    file = run.path("rounds", "1.keras")
    file.parent.mkdir()
    file.touch()
    run.step(earlier_round(1), lambda: RoundResult("rounds/1.keras"))
    run._lock.release()
    one_round = dataclasses.replace(run.config, distillation=dataclasses.replace(run.config.distillation, rounds=1))
    Run(run.workdir, one_round).claim()
    assert not file.exists()


def test_the_first_round_has_the_runs_own_teachers(tmp_path, split, teacher):
    run = run_of(tmp_path / "run")
    targets = TeacherTargets((teacher(),), "none", accuracies=(0.5,))
    assert rounds.taught(run, split, targets, 1) == (run.config.distillation, targets)


def test_the_names_of_rounds_are_understood():
    step = earlier_round(2)
    assert step_of(step.name) == step
    assert stage_of_phase(step.phase) is Stage.DISTILLATION
    assert step.files == ("rounds/2.keras",)


def test_the_input_range_is_that_of_students():
    assert students.INPUT_RANGE == "0..1"
    assert students.normalize(np.uint8([255])).numpy() == 1
