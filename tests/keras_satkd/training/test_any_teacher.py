"""The same network teaches the same student, whatever its file format, to the tolerance of the arithmetic."""

import warnings
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from foreign_models import as_onnx, as_tflite, keras_3_copy
from pyarrow import parquet
from tests_support import tiny_network

from keras_satkd.config import DistillationConfig, TrainingConfig
from keras_satkd.data import augment
from keras_satkd.data.splits import Split
from keras_satkd.models import teachers
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.training.place import Place
from keras_satkd.training.teacher_logits import compute_teacher_logits
from keras_satkd.training.train import train

NAMES = ("class0", "class1", "class2")
FORMATS = ("Keras 3", "SavedModel", "onnx", "tflite", "npz", "parquet", "settings")


@pytest.fixture
def split(image_set):
    parts = []
    for part, images in enumerate((30, 12, 12)):
        found = image_set(images, part)
        parts.append(type(found)(found.images, found.labels, tuple(f"{part}/{f}" for f in found.files), NAMES))
    return Split(*parts, "sha256")


def teacher_in(kind: str, folder: Path, split: Split) -> Path:
    """The path of the network with seed 4 in a format, or of its logits for all images."""
    network = tiny_network(seed=4)
    if kind == "onnx":
        return as_onnx(network, folder / "one.onnx")
    if kind == "tflite":
        return as_tflite(network, folder / "one.tflite")
    if kind in ("npz", "parquet"):
        parts = (split.train, split.validation, split.test)
        names = [file for part in parts for file in part.files][::-1]
        pixels = np.concatenate([part.images for part in parts])[::-1]
        logits = network(pixels / np.float32(255)).numpy()
        if kind == "npz":
            np.savez(folder / "one.npz", names=np.array(names), logits=logits[:, ::-1], class_names=NAMES[::-1])
        else:
            columns = dict(zip(NAMES, logits.T, strict=True))
            parquet.write_table(pyarrow.table({"name": names, **columns}), folder / "one.parquet")
        return folder / f"one.{kind}"
    if kind == "settings":
        network.save(folder / "network.keras")
        (folder / "one.toml").write_text('model = "network.keras"\ninput_range = "0..1"\n')
        return folder / "one.toml"
    if kind == "SavedModel":
        network.save(folder / "one", save_format="tf")
        return folder / "one"
    (keras_3_copy(network) if kind == "Keras 3" else network).save(folder / "one.keras")
    return folder / "one.keras"


def student_of(kind: str, folder: Path, split: Split, augmentation: str = "none") -> list[np.ndarray]:
    """The weights of a student after two epochs under the teacher, and the logits that it learned from."""
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")
        found = teachers.load(str(teacher_in(kind, folder, split)))
    found = teachers.with_classes(found, NAMES)
    loss = DistillationConfig(views=1)
    data = DataConfig(cache_dir=str(folder / "cache"))
    targets = compute_teacher_logits([found], split, loss, augmentation, data)
    student = tiny_network(seed=1)
    settings = {"loss": loss, "seed": 0, "phase": "distillation"}
    train(student, split, targets, TrainingConfig(epochs=2, batch_size=10), Place(folder / "run"), **settings)
    return [targets.training.logits.astype(np.float32), *student.get_weights()]


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_student(tmp_path, split, kind):
    expected = student_of("tf_keras", tmp_path / "expected", split)
    found = student_of(kind, tmp_path / "found", split)
    untrained = tiny_network(seed=1).get_weights()
    assert max(np.abs(trained - before).max() for trained, before in zip(expected[1:], untrained, strict=True)) > 1e-3
    for values, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, wanted, atol=1e-3 * np.abs(wanted).max())


@pytest.mark.slow
def test_a_network_that_runs_in_the_graph_sees_augmented_views(tmp_path, split):
    expected = student_of("tf_keras", tmp_path / "expected", split, "satellite")
    for kind in ("Keras 3", "tflite"):
        found = student_of(kind, tmp_path / kind, split, "satellite")
        for values, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(values, wanted, atol=1e-3 * np.abs(wanted).max())


def test_the_student_sees_the_eight_views_of_a_file(tmp_path, split):
    network, parts = tiny_network(seed=4), (split.train, split.validation, split.test)
    names = [file for part in parts for file in part.files]
    pixels = np.concatenate([part.images for part in parts])
    draws = augment.dihedral_draws(len(pixels))
    views = [augment.augment(pixels, draws[:, view], "dihedral").numpy() for view in range(8)]
    logits = np.stack([network(view / np.float32(255)).numpy() for view in views], axis=1)
    np.savez(tmp_path / "eight.npz", names=np.array(names), logits=logits)
    network.save(tmp_path / "one.keras")
    both = [teachers.load(str(tmp_path / name)) for name in ("eight.npz", "one.keras")]
    loss, data = DistillationConfig(views=8, augmentation="dihedral"), DataConfig(cache_dir=str(tmp_path / "cache"))
    targets = compute_teacher_logits(both, split, loss, "dihedral", data)
    stored, computed = targets.training.logits.transpose(2, 0, 1, 3)
    np.testing.assert_array_equal(targets.training.draws, draws[: len(split.train)])
    np.testing.assert_allclose(stored, computed, atol=2e-3)
    np.testing.assert_allclose(targets.validation.logits[:, 0, 0], targets.validation.logits[:, 0, 1], atol=2e-3)
    averaged = compute_teacher_logits(both, split, DistillationConfig(teacher_logits="averaged"), "satellite", data)
    expected = logits[: len(split.train)].mean(axis=1)
    np.testing.assert_allclose(averaged.training.logits[:, 0, 0], expected, atol=2e-3)
    assert averaged.training.draws is None
