import json
from pathlib import Path

import numpy as np
import pytest
import tf_keras
from scipy.special import log_softmax
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.models import teachers

SIZE = 16
CASES = Path(__file__).parents[4] / "shared" / "cases"


def test_different_teachers_are_accepted(tmp_path):
    teachers.check_names([])
    teachers.check_names(["efficientvit_m0", "efficientvit_m0@64", "efficientvit_m2_eurosat", str(tmp_path)])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("efficientvit_m0", "efficientvit_m0"),
        ("efficientvit_m0", "efficientvit_m0@224"),
        ("efficientvit_m2_eurosat", "shipped:efficientvit_m2_eurosat"),
        ("a/mine", "./a/mine"),
        ("a/mine", "b/mine"),
        ("a/efficientvit_m0@64", "efficientvit_m0@64"),
    ],
)
def test_the_same_name_twice(tmp_path, monkeypatch, first, second):
    monkeypatch.chdir(tmp_path)
    for folder in ("a/mine", "b/mine", "a/efficientvit_m0@64"):
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(UserError, match=f"twice \\('{first}', '{second}'\\)"):
        teachers.check_names([first, second])


@pytest.mark.parametrize("name", ["mine.keras", "mine.onnx", "a/mine.tflite", "mine.npz", "mine.parquet", "mine.toml"])
def test_a_file_that_does_not_exist(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"teacher '{name}' does not exist: correct its path"):
        teachers.check_names([name])


def test_a_description_is_no_teacher():
    with pytest.raises(UserError, match=r"unknown shipped model 'resnet8_eurosat_int8\.json'"):
        teachers.check_names(["shipped:resnet8_eurosat_int8.json"])


def saved(network, path):
    network.save(path)
    return str(path)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_any_saved_keras_model_is_a_teacher(tmp_path, ending, image_set):
    network = tiny_network(seed=4)
    teacher = teachers.load(saved(network, tmp_path / f"mine.{ending}"))
    images = image_set(3).images
    assert (teacher.name, teacher.classes, teacher.input_size) == ("mine", 3, SIZE)
    np.testing.assert_allclose(teacher.logits(images), network(images / np.float32(255)), atol=1e-5)


def test_a_softmax_is_taken_back(tmp_path, image_set):
    network = tiny_network(seed=4, activation="softmax")
    teacher = teachers.load(saved(network, tmp_path / "softmax.keras"))
    images = image_set(3).images
    expected = np.log(network(images / np.float32(255)))
    np.testing.assert_allclose(log_softmax(teacher.logits(images).numpy(), axis=1), expected, atol=1e-4)


@pytest.mark.skipif(not CASES.exists(), reason="../shared is absent")
def test_shared_cases():
    assert teachers.load(str(CASES / "teacher_softmax_hidden" / "softmax_tfnn.keras")).gives_probabilities
    with pytest.raises(UserError, match=r"fmap\.keras has output shape \(None, 8, 8, 4\)"):
        teachers.load(str(CASES / "teacher_feature_map" / "fmap.keras"))


@pytest.mark.parametrize(("file", "kind"), [("logits.csv", r"\.csv"), ("model.pt", r"\.pt"), ("model", "file without")])
def test_a_file_of_another_kind_is_told_what_serves(tmp_path, file, kind):
    (tmp_path / file).write_text("1,2")
    with pytest.raises(
        UserError, match=rf"is a {kind}.*: give a model \(\.keras, .* or a SavedModel\), logits \(\.npz"
    ):
        teachers.load(str(tmp_path / file))


def test_files_that_are_no_teacher(tmp_path):
    (tmp_path / "broken.keras").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"broken\.keras is truncated or not a Keras model"):
        teachers.load(str(tmp_path / "broken.keras"))
    with pytest.raises(UserError, match=r"teacher\.json"):
        teachers.load(str(tmp_path))
    image = tf_keras.layers.Input((8, 16, 3))
    oblong = tf_keras.Model(image, tf_keras.layers.Flatten()(image))
    with pytest.raises(UserError, match="size, size, bands"):
        teachers.load(saved(oblong, tmp_path / "oblong.keras"))


def test_teachers_of_teachers_must_be_trained(tmp_path):
    (tmp_path / "trained").mkdir()
    teachers.check_trained([str(tmp_path / "trained")])
    with pytest.raises(UserError, match=r"taught_by contains 'mobilevit_xxs'"):
        teachers.check_trained(["mobilevit_xxs"])


def test_where_a_fine_tuning_cannot_begin(tmp_path):
    for beginning in ("auto", "none", str(tmp_path)):
        teachers.check_initial_weights(beginning)
    with pytest.raises(UserError, match="did you mean 'imagenet'"):
        teachers.check_initial_weights("imagnet")


def test_weights_of_another_architecture(tmp_path):
    path = tmp_path / "other.weights.h5"
    tiny_network(classes=5).save_weights(path)
    with pytest.raises(UserError, match=r"other\.weights\.h5 does not contain the weights of resnet8"):
        teachers.load_weights(tiny_network(), path, "resnet8")
    with pytest.raises(UserError, match="does not contain the weights"):
        teachers.load_weights(tiny_network(), tmp_path / "absent.weights.h5", "resnet8")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientvit_m0@64", "mobilevitv2_050@64"])
def test_known_architectures_are_saved_and_read(tmp_path, name, image_set):
    tf_keras.utils.set_random_seed(1)
    teacher = teachers.build(name, 4, "none")
    teachers.save(teacher, tuple("abcd"), {"validation": {"accuracy": 0.5}}, tmp_path / name)
    loaded = teachers.load(str(tmp_path / name))
    assert (loaded.name, loaded.classes, loaded.input_range) == (name, 4, teacher.input_range)
    images = image_set(2).images
    np.testing.assert_allclose(loaded.logits(images), teacher.logits(images), atol=1e-4)
    going_on = teachers.build(name, 4, str(tmp_path / name))
    np.testing.assert_allclose(going_on.logits(images), teacher.logits(images), atol=1e-4)
    description = json.loads((tmp_path / name / "teacher.json").read_text())
    assert description["scores"]["validation"]["accuracy"] == 0.5
