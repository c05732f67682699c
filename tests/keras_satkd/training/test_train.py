import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy.special import log_softmax
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.camera.training import Mixture, Range
from keras_satkd.config import DistillationConfig, MixingConfig, TeachersConfig, TrainingConfig
from keras_satkd.data.splits import Split
from keras_satkd.method.teaching import CountEpochs
from keras_satkd.models import students
from keras_satkd.models.students import normalize
from keras_satkd.models.teachers import Teacher
from keras_satkd.pipeline import methods
from keras_satkd.run import history
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.settings.method_config import AdversarialConfig, CapacityConfig, FixMatchConfig
from keras_satkd.training import run_offloaded, unlabelled_batches
from keras_satkd.training.fit import precision
from keras_satkd.training.method import Method
from keras_satkd.training.offload import TrainingExported
from keras_satkd.training.place import Place
from keras_satkd.training.teacher_logits import TeacherTargets, compute_teacher_logits
from keras_satkd.training.train import train


@pytest.fixture
def split(image_set):
    return Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")


ONE_EPOCH = TrainingConfig(epochs=1, batch_size=10)


def loss(teacher_logits: str) -> DistillationConfig:
    return DistillationConfig(teacher_logits=teacher_logits, views=2)


def computed(
    tmp_path: Path, split: Split, teachers: list[Teacher], teacher_logits: str, augmentation: str = "satellite"
) -> TeacherTargets:
    data = DataConfig(cache_dir=str(tmp_path / "cache"))
    return compute_teacher_logits(teachers, split, loss(teacher_logits), augmentation, data)


def trained(network, tmp_path: Path, split: Split, targets: TeacherTargets, teacher_logits: str, lowers=False) -> None:
    settings = {"loss": loss(teacher_logits), "seed": 0, "phase": "distillation"}
    train(network, split, targets, ONE_EPOCH, Place(tmp_path / "run", lowers), **settings)


def test_class_weights_follow_the_training_images(tmp_path, split):
    few = split.train.take([*range(0, 30, 3), 1, 2])  # ten images of class 0, one of each other class
    split, rows = replace(split, train=few), []
    for at, kind in enumerate(("none", "balanced")):
        network, workdir = tiny_network(), tmp_path / str(at)
        settings = {"loss": loss("in-loop"), "seed": 0, "phase": "distillation"}
        config = TrainingConfig(epochs=1, batch_size=12, learning_rate=1e-9)
        train(network, split, TeacherTargets((), "none"), config, Place(workdir), class_weights=kind, **settings)
        rows += history.read(workdir / "metrics.csv")
        logits = network(split.validation.images / np.float32(255)).numpy()
    weights = np.array([12 / 3 / 10, 12 / 3, 12 / 3])[split.validation.labels]
    losses = -log_softmax(logits, axis=1)[np.arange(12), split.validation.labels]
    assert float(rows[0]["val_loss"]) == pytest.approx(losses.mean(), 1e-3)
    assert float(rows[1]["val_loss"]) == pytest.approx((weights * losses).mean(), 1e-3)


@pytest.mark.parametrize("teacher_logits", ["precomputed", "averaged", "in-loop"])
def test_a_student_trains_under_either_source_of_logits(tmp_path, split, teacher, teacher_logits, processor):
    targets = computed(tmp_path, split, [teacher("one", 1), teacher("two", 2)], teacher_logits)
    assert (targets.training is not None) == (teacher_logits != "in-loop")
    with precision("auto"):
        student = tiny_network()
    trained(student, tmp_path, split, targets, teacher_logits)
    [row] = history.read(tmp_path / "run" / "metrics.csv")
    assert float(row["weight_one"]) + float(row["weight_two"]) == pytest.approx(1.0)
    assert float(row["val_distillation_loss"]) > 0
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == (2 if teacher_logits == "in-loop" else 6)


class Witness:
    """A teacher whose logits are three numbers that tell images apart; it notes them for every image that it sees."""

    name, classes, is_foreign = "witness", 3, False

    def __init__(self):
        self.seen: list[np.ndarray] = []

    def digest(self) -> str:
        return "witness"

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(self._note, [tf.cast(images, tf.float32)], tf.float32), (None, 3))

    def _note(self, images: np.ndarray) -> np.ndarray:
        self.seen.append(marks(images))
        return self.seen[-1]


def marks(images: np.ndarray) -> np.ndarray:
    return np.tensordot(images, np.random.default_rng(0).normal(0, 1e-3, (*images.shape[1:], 3)), 3).astype(np.float32)


@pytest.mark.parametrize(
    ("teacher_logits", "method", "sees"),
    [
        ("precomputed", "none", "clean"),
        ("precomputed", "mixup", "disturbed"),
        ("precomputed", "cutmix", "clean"),
        ("in-loop", "none", "disturbed"),
        ("in-loop", "mixup", "clean"),
        ("in-loop", "cutmix", "disturbed"),
    ],
)
def test_teacher_and_student_see_the_same_pixels(tmp_path, split, teacher_logits, sees, method):
    # The camera halves the light of every image, so that the clean view can be told from the student's.
    camera, witness, student = Mixture({"gain": Range(1.0, 0.5, 0.5)}, 1.0), Witness(), Witness()
    data, mixing = DataConfig(cache_dir=str(tmp_path / "cache")), MixingConfig(method=method, share=0.8)
    given = [witness], split, loss(teacher_logits), "satellite", data
    targets = compute_teacher_logits(*given, camera, sees, mixing)
    if teacher_logits == "in-loop":
        witness.seen.clear()

    def noted(images: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([student.logits(images)]):
            return normalize(images)

    settings = {"loss": loss(teacher_logits), "seed": 0, "phase": "distillation"}
    train(tiny_network(), split, targets, ONE_EPOCH, Place(tmp_path / "run"), normalize=noted, **settings)
    shown, factor = np.concatenate(student.seen[:3]), 0.5 if sees == "clean" else 1.0
    assert len(shown) == 30
    known = np.concatenate(witness.seen)
    # Rounding to whole numbers after the light is halved leaves small differences.
    gaps = np.abs(shown[:, None] - factor * known[None]).max(axis=2).min(axis=1)
    assert gaps.max() < (0.06 if sees == "clean" else 1e-5)
    assert np.median(np.abs(shown[:, None] - shown[None]).max(axis=2)) > 0.2


@pytest.mark.slow
def test_kerascv_augments_where_the_teachers_are_in_the_loop(tmp_path, split, teacher):
    targets = computed(tmp_path, split, [teacher("one", 1)], "in-loop", "randaugment")
    trained(tiny_network(), tmp_path, split, targets, "in-loop")
    assert np.isfinite(float(history.read(tmp_path / "run" / "metrics.csv")[0]["loss"]))


def test_teachers_are_calibrated_on_the_validation_images(tmp_path, split, teacher):
    targets = computed(tmp_path, split, [teacher("one", 1), teacher("two", 2)], "in-loop")
    assert len(targets.calibration) == 2
    assert all(0.05 <= temperature <= 20 for temperature in targets.calibration)


def test_a_camera_cannot_be_lowered(tmp_path, split):
    targets = TeacherTargets((), "none", camera=Mixture())
    with pytest.raises(UserError, match=r"--camera\.sensor cannot be lowered"):
        trained(tiny_network(), tmp_path, split, targets, "averaged", lowers=True)
    assert not (tmp_path / "run").exists()


def test_an_average_of_the_weights_cannot_be_lowered(tmp_path, split):
    config, targets = replace(ONE_EPOCH, average=0.9), TeacherTargets((), "none")
    settings = {"loss": loss("averaged"), "seed": 0, "phase": "distillation"}
    with pytest.raises(UserError, match=r"average 0\.9 cannot be lowered"):
        train(tiny_network(), split, targets, config, Place(tmp_path / "run", lowers=True), **settings)
    train(tiny_network(), split, targets, config, Place(tmp_path / "run"), **settings)
    assert len(history.read(tmp_path / "run" / "metrics.csv")) == 1


def test_a_training_is_exported_and_its_result_imported(tmp_path, split, teacher):
    targets = computed(tmp_path, split, [teacher("one", 1)], "averaged")
    with pytest.raises(TrainingExported) as exported:
        trained(tiny_network(), tmp_path, split, targets, "averaged", lowers=True)
    folder = tmp_path / "run" / "lowered" / "distillation"
    assert str(exported.value) == str(folder)
    assert (folder / run_offloaded.PROGRAM_FILE).stat().st_size > 0
    wanted = tiny_network(seed=5)
    weights = {str(position): values for position, values in enumerate(wanted.get_weights())}
    rows = json.dumps([{"epoch": 1, "seconds": 0.5, "val_accuracy": 0.75}])
    np.savez(folder / run_offloaded.TRAINED_FILE, **weights, rows=np.array(rows), hardware=np.array("a GPU"))
    network = tiny_network()
    trained(network, tmp_path, split, targets, "averaged")
    [row] = history.read(tmp_path / "run" / "metrics.csv")
    assert (row["hardware"], row["phase"], row["val_accuracy"]) == ("a GPU", "distillation", "0.75")
    for found, expected in zip(network.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


class _Interruption(Exception):
    pass


def _resnet():
    return students.build("resnet8", 16, 3)


def _way(name: str, split: Split) -> tuple[tf_keras.Model, Method]:
    """A network and how it is trained, both made anew."""
    tf_keras.utils.set_random_seed(0)
    if name == "fixmatch":
        config = TeachersConfig(epochs=4, batch_size=10, fixmatch=FixMatchConfig(weight=1.0, confidence=0.4, ratio=1))
        return _resnet(), unlabelled_batches.method(split.train.take(range(12)), split.train, config, 0)
    asked = {
        "adversarial": DistillationConfig(epochs=4, adversarial=AdversarialConfig(epsilon=8.0, steps=1)),
        "capacity": DistillationConfig(epochs=4, capacity=CapacityConfig(widest=2.0, steps=1, until=0.5)),
    }
    return methods.of_student(asked[name], _resnet)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adversarial", "capacity", "fixmatch"])
def test_an_interrupted_way_of_teaching_ends_with_the_same_weights(tmp_path, split, monkeypatch, name):
    config = TrainingConfig(epochs=4, batch_size=10, average=0.9)

    def finished(workdir: Path) -> list[np.ndarray]:
        network, method = _way(name, split)
        settings = {"loss": DistillationConfig(), "seed": 0, "phase": "distillation"}
        train(network, split, TeacherTargets((), "none"), config, Place(workdir), method=method, **settings)
        return network.get_weights()

    def stop(self, batch, logs=None):
        if int(self.model.epoch) == 2 and batch == 1:
            raise _Interruption

    whole = finished(tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(CountEpochs, "on_train_batch_end", stop)
        with pytest.raises(_Interruption):
            finished(tmp_path / "stopped")
    for one, other in zip(whole, finished(tmp_path / "stopped"), strict=True):
        np.testing.assert_array_equal(one, other)
