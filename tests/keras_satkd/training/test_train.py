import dataclasses
import json

import numpy as np
import pytest
from tests_support import tiny_network

from keras_satkd.config import Config, DataConfig, DistillationConfig, TrainingConfig
from keras_satkd.data.splits import Split
from keras_satkd.run import history
from keras_satkd.run.folder import Run
from keras_satkd.training import run_offloaded
from keras_satkd.training.fit import precision
from keras_satkd.training.offload import TrainingExported
from keras_satkd.training.teacher_logits import gather
from keras_satkd.training.train import train


@pytest.fixture
def split(image_set):
    return Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")


def prepared(tmp_path, teacher_logits: str, augmentation: str = "satellite") -> Run:
    distillation = DistillationConfig(teacher_logits=teacher_logits, augmentation=augmentation, views=2)
    data = DataConfig(cache_dir=str(tmp_path / "cache"))
    return Run(tmp_path / "run", dataclasses.replace(Config(), data=data, distillation=distillation))


@pytest.mark.parametrize("teacher_logits", ["precomputed", "averaged", "in-loop"])
def test_a_student_trains_under_either_source_of_logits(tmp_path, split, teacher, teacher_logits, processor):
    run = prepared(tmp_path, teacher_logits)
    known = gather(run, split, [teacher("one", 1), teacher("two", 2)], "satellite")
    assert (known.training is not None) == (teacher_logits != "in-loop")
    with precision("auto"):
        student = tiny_network()
    train(run, split, student, known, TrainingConfig(epochs=1, batch_size=10), "distillation")
    [row] = history.read(run.path("metrics.csv"))
    assert float(row["weight_one"]) + float(row["weight_two"]) == pytest.approx(1.0)
    assert float(row["val_distillation_loss"]) > 0
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == (2 if teacher_logits == "in-loop" else 6)


@pytest.mark.slow
def test_kerascv_augments_where_the_teachers_are_in_the_loop(tmp_path, split, teacher):
    run = prepared(tmp_path, "in-loop", "randaugment")
    known = gather(run, split, [teacher("one", 1)], "randaugment")
    train(run, split, tiny_network(), known, TrainingConfig(epochs=1, batch_size=10), "distillation")
    assert np.isfinite(float(history.read(run.path("metrics.csv"))[0]["loss"]))


def test_teachers_are_calibrated_on_the_validation_images(tmp_path, split, teacher):
    known = gather(prepared(tmp_path, "in-loop"), split, [teacher("one", 1), teacher("two", 2)], "satellite")
    assert len(known.calibration) == 2
    assert all(0.05 <= temperature <= 20 for temperature in known.calibration)


def test_a_training_is_exported_and_its_result_imported(tmp_path, split, teacher):
    run = prepared(tmp_path, "averaged")
    known = gather(run, split, [teacher("one", 1)], "satellite")
    config = TrainingConfig(epochs=1, batch_size=10)
    run.lowers = True
    with pytest.raises(TrainingExported) as exported:
        train(run, split, tiny_network(), known, config, "distillation")
    folder = run.path("lowered", "distillation")
    assert str(exported.value) == str(folder)
    assert (folder / run_offloaded.PROGRAM_FILE).stat().st_size > 0
    wanted = tiny_network(seed=5)
    weights = {str(position): values for position, values in enumerate(wanted.get_weights())}
    rows = json.dumps([{"epoch": 1, "seconds": 0.5, "val_accuracy": 0.75}])
    np.savez(folder / run_offloaded.TRAINED_FILE, **weights, rows=np.array(rows), hardware=np.array("a GPU"))
    network = tiny_network()
    train(run, split, network, known, config, "distillation")
    [row] = history.read(run.path("metrics.csv"))
    assert (row["hardware"], row["phase"], row["val_accuracy"]) == ("a GPU", "distillation", "0.75")
    for found, expected in zip(network.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
