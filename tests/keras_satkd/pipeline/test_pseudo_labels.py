import dataclasses

import numpy as np
import pytest

from keras_satkd.config import Config, DistillationConfig
from keras_satkd.data import unlabelled
from keras_satkd.data.splits import Split
from keras_satkd.pipeline import distil, pseudo_labels
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import DISTILLATION
from keras_satkd.settings.data_config import DataConfig

CONFIDENCE = 0.6


@pytest.fixture
def inputs(image_set):
    split = Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")
    found = image_set(20, 3)
    files = tuple(f"{unlabelled.CLASS}/{number}.png" for number in range(20))
    without = dataclasses.replace(found, files=files, labels=np.zeros(20, np.int32), class_names=(unlabelled.CLASS,))
    return Inputs(split, {}, [], unlabelled=without)


def run_of(tmp_path, confidence: float = CONFIDENCE) -> Run:
    data = DataConfig(image_size=16, cache_dir=str(tmp_path / "cache"), unlabelled="somewhere")
    distillation = DistillationConfig(epochs=1, batch_size=10, views=1, pseudo_label_confidence=confidence)
    run = Run(tmp_path / "run", dataclasses.replace(Config(), data=data, distillation=distillation))
    run.claim()
    return run


def test_by_hand():
    # Means of two teachers: 0.85 for the first class, and 0.5 for both, because the teachers contradict each other.
    logits = np.log(np.array([[[0.9, 0.1], [0.9, 0.1]], [[0.8, 0.2], [0.1, 0.9]]]))
    labels, is_sure = pseudo_labels._labels(logits, [1, 1], 0.8)
    assert labels.tolist() == [0, 0]
    assert is_sure.tolist() == [True, False]
    _, is_sure = pseudo_labels._labels(logits, [100, 100], 0.8)  # overconfident teachers, calibrated
    assert not is_sure.any()


def test_images_of_which_teachers_are_sure_are_trained_on(tmp_path, inputs, teacher, caplog):
    caplog.set_level("INFO")
    one, run = teacher("one", 1), run_of(tmp_path, 0.0)
    found = pseudo_labels.added(run, inputs, [one])
    train = found.split.train
    assert len(train) == 50
    assert set(inputs.split.train.files) | set(inputs.unlabelled.files) == set(train.files)
    assert train.class_names == inputs.split.train.class_names
    expected = one.logits(inputs.unlabelled.images).numpy().argmax(axis=1)
    labels = dict(zip(train.files, train.labels, strict=True))
    assert [labels[file] for file in inputs.unlabelled.files] == expected.tolist()
    images = dict(zip(train.files, train.images, strict=True))
    np.testing.assert_array_equal(
        np.stack([images[file] for file in inputs.unlabelled.files]), inputs.unlabelled.images
    )
    assert sum(pseudo_labels.counts(train).values()) == 20
    assert "pseudo-labels: 20 of 20 unlabelled images" in caplog.text
    assert found.split.sha256 == inputs.split.sha256  # of the labelled images


def test_the_order_is_that_of_names(tmp_path, inputs, teacher):
    first, second = (
        pseudo_labels.added(run_of(tmp_path / name, 0.0), inputs, [teacher("one", 1)]).split.train for name in "ab"
    )
    assert first.files == second.files
    assert first.files[:30] != inputs.split.train.files  # labelled and others are mixed


def test_of_no_image_sure(tmp_path, inputs, teacher):
    found = pseudo_labels.added(run_of(tmp_path, 1.0), inputs, [teacher("one", 1)])
    assert sorted(found.split.train.files) == sorted(inputs.split.train.files)
    assert set(pseudo_labels.counts(found.split.train).values()) == {0}


def test_without_unlabelled_images_nothing_changes(tmp_path, inputs, teacher):
    plain = dataclasses.replace(inputs, unlabelled=None)
    assert pseudo_labels.added(run_of(tmp_path), plain, [teacher("one", 1)]) is plain


def test_a_run_is_trained_on_them_and_says_so(tmp_path, inputs, teacher):
    run = run_of(tmp_path, 0.0)
    run = Run(
        tmp_path / "other",
        dataclasses.replace(run.config, teachers=dataclasses.replace(run.config.teachers, accept_weak=True)),
    )
    run.claim()
    given = dataclasses.replace(inputs, teachers={"one": teacher("one", 1)})
    taught, targets = distil.taught(run, given)
    assert targets.training.logits.shape[:2] == (50, 1)
    distil.distil_student(run, taught.split, targets)
    assert sum(run.results[DISTILLATION].pseudo_labels.values()) == 20
