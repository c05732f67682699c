import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.config import TrainingConfig
from keras_satkd.data.splits import Split
from keras_satkd.distiller import Distiller
from keras_satkd.run import history
from keras_satkd.training import run_offloaded
from keras_satkd.training.batches import evaluation_batches, training_batches
from keras_satkd.training.fit import fit
from keras_satkd.training.offload import export_training, import_result
from keras_satkd.training.teacher_logits import ViewLogits

CONFIG = TrainingConfig(epochs=3, batch_size=10, learning_rate=1e-2, patience=None)


@pytest.fixture
def split(image_set):
    return Split(image_set(30, 0), image_set(12, 1), image_set(12, 2), "sha256")


def said(images: int, classes: int, views: int = 0) -> ViewLogits:
    random = np.random.default_rng(images)
    draws = random.random((images, views, 5), np.float32) if views else None
    return ViewLogits(draws, random.normal(size=(images, views or 1, 1, classes)).astype(np.float16))


def distiller() -> Distiller:
    return Distiller(tiny_network(), teacher_names=["one"])


@pytest.fixture
def lowered(tmp_path, split):
    def write(augmentation="satellite", views=0, config=CONFIG, knowledge=None):
        classes = len(split.train.class_names)
        knowledge = knowledge or (said(30, classes, views), said(12, classes))
        student = distiller()
        export_training(student, split, knowledge, config, augmentation, 7, tmp_path / "program")
        return tmp_path / "program", knowledge

    return write


def run(folder):
    # A process of its own, as on the other machine: nothing of TensorFlow is loaded there.
    command = [sys.executable, "-W", "error", run_offloaded.__file__, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True).stdout


@pytest.mark.slow
def test_jax_trains_as_fit_does(tmp_path, split, lowered):
    folder, knowledge = lowered(augmentation="none")
    printed = [json.loads(line) for line in run(folder).splitlines()]
    here = distiller()
    training = training_batches(split.train, batch_size=10, augmentation="none", seed=7, view_logits=knowledge[0])
    validation = evaluation_batches(split.validation, 12, knowledge[1])
    fit(here, training, validation, CONFIG, phase="distillation", workdir=tmp_path / "here")
    expected = history.read(tmp_path / "here" / history.FILE)
    network = tiny_network()
    import_result(network, folder, "distillation", tmp_path / "there")
    found = history.read(tmp_path / "there" / history.FILE)
    assert [row["epoch"] for row in found] == ["1", "2", "3"]
    assert all(row["hardware"].startswith("cpu") for row in found)
    for name in ("loss", "accuracy", "distillation_loss", "val_loss", "val_accuracy", "val_weight_one"):
        assert [float(row[name]) for row in found] == pytest.approx([row[name] for row in printed])
        assert [float(row[name]) for row in found] == pytest.approx([float(row[name]) for row in expected], rel=1e-3)
    for theirs, ours in zip(network.get_weights(), here.student.get_weights(), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-2, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("views", [0, 2])
def test_the_best_epoch_is_kept(tmp_path, lowered, split, views):
    folder, _ = lowered(views=views)
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
        ({"augmentation": "randaugment"}, "augmentation 'randaugment' cannot be lowered: use one of none, dihedral"),
        ({"config": TrainingConfig(schedule="plateau")}, "schedule 'plateau' cannot be lowered: use 'cosine'"),
        ({"knowledge": (None, said(12, 3))}, "teachers in the loop cannot be lowered"),
    ],
)
def test_what_no_program_can_hold_is_refused(tmp_path, lowered, settings, message):
    with pytest.raises(UserError, match=message):
        lowered(**settings)
    assert not list(tmp_path.iterdir())


def test_an_operation_that_xla_lacks_is_one_line(tmp_path, split):
    def smaller(images):
        return tf.image.resize(tf.image.resize(tf.cast(images, tf.float32), (8, 8), antialias=True), (16, 16)) / 255

    student = Distiller(tiny_network(), normalize=smaller)
    with pytest.raises(UserError, match=r"XLA cannot compile this training .*ScaleAndTranslate"):
        export_training(student, split, (None, None), CONFIG, "none", 7, tmp_path / "program")
    assert not list(tmp_path.iterdir())


def test_a_damaged_answer_is_one_line(tmp_path):
    (tmp_path / run_offloaded.TRAINED_FILE).write_bytes(b"cut short")
    with pytest.raises(UserError, match="does not hold this training"):
        import_result(tiny_network(), tmp_path, "distillation", tmp_path)
    assert not (tmp_path / history.FILE).exists()


@pytest.mark.parametrize(("words", "message"), [([], "required: folder"), (["."], ". holds no program.json: give")])
def test_bad_input_of_the_runner_is_one_line(tmp_path, words, message):
    command = [sys.executable, run_offloaded.__file__, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
