import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_optimization as tfmot
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.config import MixingConfig, TrainingConfig
from keras_satkd.data import mix
from keras_satkd.data.splits import Split
from keras_satkd.distiller import Distiller
from keras_satkd.run import history
from keras_satkd.training import run_offloaded
from keras_satkd.training.batches import evaluation_batches, training_batches
from keras_satkd.training.fit import fit, precision
from keras_satkd.training.offload import export_training, import_result
from keras_satkd.training.qat_ranges import fix_ranges
from keras_satkd.training.view_logits import ViewLogits

CONFIG = TrainingConfig(epochs=3, batch_size=10, learning_rate=1e-2, patience=None)


@pytest.fixture
def split(image_set):
    return Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")


def random_logits(images: int, classes: int, views: int = 0) -> ViewLogits:
    random = np.random.default_rng(images)
    draws = random.random((images, views, 5), np.float32) if views else None
    return ViewLogits(draws, random.normal(size=(images, views or 1, 1, classes)).astype(np.float16))


def distiller() -> Distiller:
    with precision("auto"):
        return Distiller(tiny_network(), teacher_names=["one"])


@pytest.fixture
def exported(tmp_path, split):
    def write(augmentation="satellite", views=0, config=CONFIG, logits=None, mixing=None):
        classes = len(split.train.class_names)
        logits = logits or (random_logits(30, classes, views), random_logits(12, classes))
        student = distiller()
        export_training(student, split, logits, config, augmentation, 7, tmp_path / "program", mixing)
        return tmp_path / "program", logits

    return write


def run(folder):
    # A process of its own, as on the other machine: nothing of TensorFlow is loaded there.
    command = [sys.executable, "-W", "error", run_offloaded.__file__, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True).stdout


@pytest.mark.slow
def test_jax_trains_as_fit_does(tmp_path, split, exported, processor):
    folder, logits = exported(augmentation="none")
    printed = [json.loads(line) for line in run(folder).splitlines()]
    here = distiller()
    settings = {"batch_size": 10, "augmentation": "none", "seed": 7, "view_logits": logits[0]}
    training = training_batches(split.train, **settings, epoch=here.epoch)
    validation = evaluation_batches(split.validation, 12, logits[1])
    fit(here, training, validation, CONFIG, phase="distillation", workdir=tmp_path / "here")
    expected = history.read(tmp_path / "here" / history.FILE)
    network = tiny_network()
    import_result(network, folder, "distillation", tmp_path / "there")
    found = history.read(tmp_path / "there" / history.FILE)
    assert [row["epoch"] for row in found] == ["1", "2", "3"]
    assert all(row["hardware"].startswith("cpu") for row in found)
    # XLA keeps float32 between fused operations, where TensorFlow rounds each to bfloat16.
    for name in ("loss", "distillation_loss", "val_loss", "val_weight_one"):
        assert [float(row[name]) for row in found] == pytest.approx([row[name] for row in printed])
        tolerance = 2e-2 if processor else 1e-3
        assert [float(row[name]) for row in found] == pytest.approx([float(row[name]) for row in expected], tolerance)
    if not processor:
        assert [float(row["val_accuracy"]) for row in found] == [float(row["val_accuracy"]) for row in expected]
        for theirs, ours in zip(network.get_weights(), here.student.get_weights(), strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=1e-2, atol=1e-4)


@pytest.mark.slow
def test_a_quantization_aware_training_is_exported(tmp_path, split):
    def network():
        student = tiny_network()
        quantized = tfmot.quantization.keras.quantize_model(student)
        fix_ranges(quantized, student, split.train.images)
        return quantized

    folder = tmp_path / "program"
    export_training(Distiller(network()), split, (None, None), CONFIG, "none", 7, folder)
    program = json.loads((folder / run_offloaded.DESCRIPTION_FILE).read_text())
    run(folder)
    trained, before = network(), network()
    import_result(trained, folder, "quantization", tmp_path)
    # tfmot keeps a counter in each layer that no training reads.
    assert 0 < len(program["weights"]) < len(trained.weights)
    moved = [not np.array_equal(a, b) for a, b in zip(trained.get_weights(), before.get_weights(), strict=True)]
    assert {variable.ref() for variable in trained.trainable_weights} <= {
        variable.ref() for variable, has_moved in zip(trained.weights, moved, strict=True) if has_moved
    }


@pytest.mark.slow
def test_jax_trains_on_the_same_stored_mixes(tmp_path, split, exported):
    config, mixing = replace(CONFIG, epochs=1), MixingConfig(method="both", share=0.8)
    logits = random_logits(30, 3, 1), random_logits(12, 3)
    # One view, so that XLA's other random numbers choose none.
    logits = replace(logits[0], mixing_draws=mix.view_draws(30, 1, 5)), logits[1]
    folder, _ = exported("satellite", config=config, logits=logits, mixing=mixing)
    [printed] = [json.loads(line) for line in run(folder).splitlines()]
    settings = {"batch_size": 10, "augmentation": "satellite", "seed": 7, "view_logits": logits[0], "mixing": mixing}
    training = training_batches(split.train, **settings)
    validation = evaluation_batches(split.validation, 12, logits[1])
    fit(distiller(), training, validation, config, phase="distillation", workdir=tmp_path / "here")
    [expected] = history.read(tmp_path / "here" / history.FILE)
    for name in ("loss", "ground_truth_loss", "distillation_loss", "accuracy"):
        assert printed[name] == pytest.approx(float(expected[name]), 2e-2)


@pytest.mark.slow
def test_class_weights_and_macro_f1_are_exported(tmp_path, split):
    config, folder = replace(CONFIG, select="macro-f1"), tmp_path / "program"
    settings = {"class_weights": (2.0, 1.0, 0.5)}
    export_training(Distiller(tiny_network(), **settings), split, (None, None), config, "none", 7, folder)
    rows = [json.loads(line) for line in run(folder).splitlines()]
    network = tiny_network()
    import_result(network, folder, "distillation", tmp_path)
    best = max(rows, key=lambda row: row["val_macro_f1"])
    images, scored = split.validation, Distiller(network, **settings)
    scored.compile()
    found = scored.evaluate(images.images, images.labels, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(best["val_loss"], 1e-3)
    assert found["accuracy"] == pytest.approx(best["val_accuracy"])


@pytest.mark.slow
@pytest.mark.parametrize("views", [0, 2])
def test_the_best_epoch_is_kept(tmp_path, exported, split, views):
    folder, _ = exported(views=views)
    scores = [json.loads(line)["val_accuracy"] for line in run(folder).splitlines()]
    network = tiny_network()
    import_result(network, folder, "distillation", tmp_path)
    scored = Distiller(network)
    scored.compile()
    images = split.validation
    found = scored.evaluate(images.images, images.labels, verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx(max(scores))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"augmentation": "randaugment"},
            "augmentation 'randaugment' cannot be exported: use one of none, dihedral",
        ),
        (
            {"config": TrainingConfig(schedule="plateau")},
            "schedule 'plateau' cannot be exported: use 'cosine'",
        ),
        ({"logits": (None, random_logits(12, 3))}, "teachers in the loop cannot be exported"),
    ],
)
def test_what_no_program_can_hold_is_refused(tmp_path, exported, settings, message):
    with pytest.raises(UserError, match=message):
        exported(**settings)
    assert not list(tmp_path.iterdir())


def test_an_operation_that_xla_lacks_is_one_line(tmp_path, split):
    def smaller(images):
        return tf.image.resize(tf.image.resize(tf.cast(images, tf.float32), (8, 8), antialias=True), (16, 16)) / 255

    student = Distiller(tiny_network(), normalize=smaller)
    with pytest.raises(UserError, match=r"XLA cannot compile this training .*ScaleAndTranslate"):
        export_training(student, split, (None, None), CONFIG, "none", 7, tmp_path / "program")
    assert not list(tmp_path.iterdir())


def test_a_damaged_result_is_one_line(tmp_path):
    (tmp_path / run_offloaded.TRAINED_FILE).write_bytes(b"cut short")
    with pytest.raises(UserError, match="is not the result of this training"):
        import_result(tiny_network(), tmp_path, "distillation", tmp_path)
    assert not (tmp_path / history.FILE).exists()


def test_the_result_of_another_network_is_one_line(tmp_path):
    empty = {"rows": np.array("[]"), "hardware": np.array("a GPU")}
    np.savez(tmp_path / run_offloaded.TRAINED_FILE, **{"4": np.zeros(3)}, **empty)
    with pytest.raises(UserError, match="weights 4 of 4"):
        import_result(tiny_network(), tmp_path, "distillation", tmp_path)
    np.savez(tmp_path / run_offloaded.TRAINED_FILE, **{"0": np.zeros(3)}, **empty)
    with pytest.raises(UserError, match="is not the result of this training"):
        import_result(tiny_network(), tmp_path, "distillation", tmp_path)


@pytest.mark.parametrize(("words", "message"), [([], "required: folder"), (["."], ". contains no program.json: give")])
def test_bad_input_of_the_runner_is_one_line(tmp_path, words, message):
    command = [sys.executable, run_offloaded.__file__, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
