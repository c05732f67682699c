import csv
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from damage import OFFSETS, cut, flip
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.config import PLATEAU_PATIENCE, TrainingConfig
from keras_satkd.distiller import Distiller
from keras_satkd.evaluation.metrics import score
from keras_satkd.method.teaching import CountEpochs
from keras_satkd.models.students import normalize
from keras_satkd.run import history
from keras_satkd.training import fit as training
from keras_satkd.training.batches import evaluation_batches, training_batches
from keras_satkd.training.fit import fit, precision


def train(workdir, image_set, *, preprocess=normalize, phase="distillation", average=0.0, sensor_noise=0.0, **settings):
    config = TrainingConfig(**{"epochs": 3, "batch_size": 10, "learning_rate": 1e-2, **settings})
    images = image_set(30)
    distiller = Distiller(tiny_network(), normalize=preprocess, average=average, sensor_noise=sensor_noise)
    fit(
        distiller,
        training_batches(images, batch_size=10, augmentation="satellite", seed=0, epoch=distiller.epoch),
        evaluation_batches(image_set(12, seed=1), 10),
        config,
        phase=phase,
        workdir=workdir,
    )
    return distiller


def epochs(workdir, phase="distillation"):
    return [int(row["epoch"]) for row in history.read(workdir / "metrics.csv") if row["phase"] == phase]


def test_every_epoch_is_noted_with_its_metrics(tmp_path, image_set):
    train(tmp_path, image_set)
    rows = history.read(tmp_path / "metrics.csv")
    assert epochs(tmp_path) == [1, 2, 3]
    assert {"phase", "epoch", "seconds", "learning_rate", "loss", "accuracy", "val_accuracy"} <= set(rows[0])
    assert list((tmp_path / "tensorboard" / "distillation").rglob("events*"))


def test_phases_share_the_file_whatever_their_columns(tmp_path, image_set):
    train(tmp_path, image_set, phase="first", epochs=1)
    train(tmp_path, image_set, phase="second", epochs=2)
    assert (epochs(tmp_path, "first"), epochs(tmp_path, "second")) == ([1], [1, 2])


def test_the_best_validation_weights_are_left(tmp_path, image_set):
    distiller = train(tmp_path, image_set, epochs=4)
    scores = [float(row["val_accuracy"]) for row in history.read(tmp_path / "metrics.csv")]
    images = image_set(12, seed=1)
    distiller.compile()
    results = distiller.evaluate(images.images, images.labels, verbose=0, return_dict=True)
    assert results["accuracy"] == pytest.approx(max(scores))


def test_the_average_of_the_weights_is_validated_and_left(tmp_path, image_set):
    distiller = train(tmp_path, image_set, epochs=4, average=0.9)
    rows = history.read(tmp_path / "metrics.csv")
    best = max(rows, key=lambda row: float(row["val_accuracy"]))
    images = image_set(12, seed=1)
    distiller.compile()
    results = distiller.evaluate(images.images, images.labels, verbose=0, return_dict=True)
    assert results["loss"] == pytest.approx(float(best["val_loss"]), rel=1e-4)
    last = train(tmp_path / "plain", image_set, epochs=4)
    assert np.abs(distiller.student.get_weights()[-1] - last.student.get_weights()[-1]).max() > 0


class _Interruption(Exception):
    pass


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": "cosine", "average": 0.9},
        {"schedule": "constant", "sensor_noise": 0.2},
        {"schedule": "plateau", "learning_rate": 0.1},
    ],
    ids=lambda settings: settings["schedule"],
)
def test_an_interrupted_training_ends_with_the_same_weights(tmp_path, image_set, monkeypatch, settings):
    def stop(self, batch, logs=None):
        if int(self.model.epoch) == 2 and batch == 1:
            raise _Interruption

    whole = train(tmp_path / "whole", image_set, epochs=4, **settings)
    with monkeypatch.context() as patch:
        patch.setattr(CountEpochs, "on_train_batch_end", stop)
        with pytest.raises(_Interruption):
            train(tmp_path / "stopped", image_set, epochs=4, **settings)
    stopped = train(tmp_path / "stopped", image_set, epochs=4, **settings)
    for one, other in zip(whole.weights, stopped.weights, strict=True):
        np.testing.assert_array_equal(one, other, one.name)
    rows = [
        [{name: row[name] for name in row if name != "seconds"} for row in history.read(tmp_path / run / "metrics.csv")]
        for run in ("whole", "stopped")
    ]
    assert rows[0] == rows[1]


def test_an_interrupted_training_goes_on_from_its_last_epoch(tmp_path, image_set, monkeypatch):
    original = tf_keras.callbacks.TensorBoard.on_epoch_begin

    def interrupt(self, epoch, logs=None):
        if epoch == 2:
            raise _Interruption
        original(self, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(tf_keras.callbacks.TensorBoard, "on_epoch_begin", interrupt)
        with pytest.raises(_Interruption):
            train(tmp_path, image_set, epochs=4)
    before = history.read(tmp_path / "metrics.csv")
    assert epochs(tmp_path) == [1, 2]
    train(tmp_path, image_set, epochs=4)
    after = history.read(tmp_path / "metrics.csv")
    assert epochs(tmp_path) == [1, 2, 3, 4]
    assert after[:2] == before
    # The optimizer went on too: its schedule is where a training without a stop would be.
    train(tmp_path / "unbroken", image_set, epochs=4)
    unbroken = history.read(tmp_path / "unbroken" / "metrics.csv")
    assert [row["learning_rate"] for row in after] == [row["learning_rate"] for row in unbroken]


def test_an_epoch_noted_but_not_checkpointed_is_done_and_noted_again(tmp_path, image_set, monkeypatch):
    def interrupt(self, epoch, logs=None):
        raise _Interruption

    with monkeypatch.context() as patch:
        patch.setattr(tf_keras.callbacks.BackupAndRestore, "on_epoch_end", interrupt)
        with pytest.raises(_Interruption):
            train(tmp_path, image_set, epochs=2)
    assert epochs(tmp_path) == [1]
    train(tmp_path, image_set, epochs=2)
    assert epochs(tmp_path) == [1, 2]


def test_a_finished_training_is_not_done_again(tmp_path, image_set):
    first = train(tmp_path, image_set).student.get_weights()
    written = (tmp_path / "metrics.csv").read_bytes()
    second = train(tmp_path, image_set).student.get_weights()
    assert (tmp_path / "metrics.csv").read_bytes() == written
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_patience_ends_a_training_that_gets_no_better(tmp_path, image_set):
    train(tmp_path, image_set, epochs=50, learning_rate=1e-9, schedule="constant", patience=2)
    assert epochs(tmp_path) == [1, 2, 3]


def test_no_epochs_leave_the_weights_alone(tmp_path, image_set):
    trained = train(tmp_path, image_set, epochs=0).student.get_weights()
    for one, other in zip(trained, tiny_network().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(tmp_path, image_set):
    train(tmp_path, image_set, epochs=1)
    kept = {path: path.read_bytes() for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"distillation: the loss is nan at step 1; .*learning rate below 0\.01"):
        train(tmp_path, image_set, epochs=2, preprocess=lambda images: normalize(images) * 1e38)
    assert epochs(tmp_path) == [1]
    assert all(path.read_bytes() == content for path, content in kept.items())


def test_plateau_lowers_the_rate(tmp_path, image_set):
    # The first epoch is the best; PyTorch would lower the rate in the epoch after `PLATEAU_PATIENCE` others.
    train(tmp_path, image_set, epochs=PLATEAU_PATIENCE + 3, learning_rate=1e-9, schedule="plateau")
    rates = [float(row["learning_rate"]) for row in history.read(tmp_path / "metrics.csv")]
    assert rates[: PLATEAU_PATIENCE + 1] == pytest.approx([1e-9] * (PLATEAU_PATIENCE + 1))
    assert rates[PLATEAU_PATIENCE + 1 :] == pytest.approx([1e-10] * 2)


def test_a_resumed_training_counts_the_epochs_without_progress_before_it(tmp_path, image_set, monkeypatch):
    original = tf_keras.callbacks.TensorBoard.on_epoch_begin

    def interrupt(self, epoch, logs=None):
        if epoch == 5:
            raise _Interruption
        original(self, epoch, logs)

    settings = {"epochs": PLATEAU_PATIENCE + 3, "learning_rate": 1e-9, "schedule": "plateau"}
    with monkeypatch.context() as patch:
        patch.setattr(tf_keras.callbacks.TensorBoard, "on_epoch_begin", interrupt)
        with pytest.raises(_Interruption):
            train(tmp_path, image_set, **settings)
    train(tmp_path, image_set, **settings)
    rates = [float(row["learning_rate"]) for row in history.read(tmp_path / "metrics.csv")]
    assert rates[PLATEAU_PATIENCE] == pytest.approx(1e-9)
    assert rates[PLATEAU_PATIENCE + 1] == pytest.approx(1e-10)


def test_metrics_are_plain_csv(tmp_path, image_set):
    train(tmp_path, image_set, epochs=1)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        header = next(csv.reader(file))
    assert header[:4] == ["phase", "epoch", "seconds", "learning_rate"]


@pytest.mark.parametrize(
    ("asked", "has_bfloat16", "got"),
    [
        ("on", False, "mixed_bfloat16"),
        ("off", True, "float32"),
        ("auto", True, "mixed_bfloat16"),
        ("auto", False, "float32"),
    ],
)
def test_precision_is_what_was_asked_for_and_then_what_it_was(monkeypatch, asked, has_bfloat16, got):
    monkeypatch.setattr(training, "computes_bfloat16", lambda: has_bfloat16)
    with precision(asked):
        assert tf_keras.mixed_precision.global_policy().name == got
    assert tf_keras.mixed_precision.global_policy().name == "float32"


def test_mixed_precision_trains_or_is_refused(tmp_path, image_set):
    if training._kernels_take_bfloat16():
        with precision("on"):
            train(tmp_path, image_set, epochs=1)
        assert epochs(tmp_path) == [1]
    else:
        with pytest.raises(UserError, match="cannot compute in bfloat16 on this processor"), precision("on"):
            pass
        assert not training.computes_bfloat16()


def test_bfloat16_that_the_kernels_do_not_take_is_not_used(monkeypatch, processor):
    monkeypatch.setattr(training, "_kernels_take_bfloat16", lambda: False)
    with precision("auto"):
        assert tf_keras.mixed_precision.global_policy().name == "float32"
    with pytest.raises(UserError, match="mixed_precision is 'on', but"), precision("on"):
        pass
    assert tf_keras.mixed_precision.global_policy().name == "float32"


@pytest.mark.parametrize("harm", [flip, cut])
def test_damaged_best_weights_are_refused(tmp_path, image_set, harm):
    train(tmp_path, image_set, epochs=2)
    best = tmp_path / "checkpoints" / "distillation" / "best.weights.h5"
    whole = best.read_bytes()
    for at in OFFSETS:
        harm(best, at)
        with pytest.raises(UserError, match=r"best\.weights\.h5 is damaged .*, or train distillation again"):
            train(tmp_path, image_set, epochs=2)
        best.write_bytes(whole)
    best.unlink()
    with pytest.raises(UserError, match=r"best\.weights\.h5 is missing"):
        train(tmp_path, image_set, epochs=2)


def copy_of(workdir, target):
    shutil.copytree(workdir, target)
    state = target / "checkpoints/distillation/last/chief/checkpoint"
    state.write_text(state.read_text().replace(str(workdir), str(target)))
    return target


def weights_or_message(workdir, image_set) -> list | str:
    try:
        return train(workdir, image_set, epochs=3).student.get_weights()
    except UserError as error:
        return str(error)


@pytest.mark.slow
@pytest.mark.parametrize("harm", [flip, cut])
def test_a_damaged_checkpoint_is_refused_or_restored_exactly(tmp_path, image_set, harm):
    whole = tmp_path / "whole"
    train(whole, image_set, epochs=2)
    files = sorted(
        path.relative_to(whole) for path in (whole / "checkpoints/distillation/last").rglob("*") if path.is_file()
    )
    expected = weights_or_message(copy_of(whole, tmp_path / "expected"), image_set)
    refused = 0
    for file in files:
        for at in (0.0, 0.3, 0.7, 1.0):
            shutil.rmtree(tmp_path / "run", ignore_errors=True)
            copy_of(whole, tmp_path / "run")
            harm(tmp_path / "run" / file, at)
            found = weights_or_message(tmp_path / "run", image_set)
            if isinstance(found, str):
                assert "checkpoint" in found
                assert "\n" not in found
                refused += 1
                continue
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, atol=1e-5)
    assert refused > len(files)


def test_a_full_disk_is_no_damaged_checkpoint(tmp_path, image_set, monkeypatch):
    train(tmp_path, image_set, epochs=1)

    def full(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "events.out.tfevents; No space left on device")

    monkeypatch.setattr(tf_keras.callbacks.TensorBoard, "set_model", full)
    with pytest.raises(tf.errors.ResourceExhaustedError, match="No space left"):
        train(tmp_path, image_set, epochs=2)


def test_the_epoch_with_the_best_macro_f1_is_left(tmp_path, image_set):
    distiller = train(tmp_path, image_set, epochs=4, select="macro-f1")
    scores = [float(row["val_macro_f1"]) for row in history.read(tmp_path / "metrics.csv")]
    images = image_set(12, seed=1)
    logits = distiller.predict(images.images, verbose=0)
    assert score(logits, images.labels)["macro_f1"] == pytest.approx(max(scores), abs=1e-5)
