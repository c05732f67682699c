import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow_model_optimization as tfmot
import tf_keras
from int8_graphs import several_ends
from scipy.special import log_softmax, softmax
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from firmware_export.tflite.convert import float_to_int8
from keras_satkd.evaluation.classifier import int8_logits, load
from keras_satkd.models import teachers
from keras_satkd.training.qat_ranges import fix_ranges

SIZE = 16


@pytest.fixture
def saved(tmp_path):
    """Saves a network under a name and returns the path."""

    def save(network: tf_keras.Model, name: str = "mine.keras") -> str:
        network.save(tmp_path / name)
        return str(tmp_path / name)

    return save


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_keras_model(saved, image_set, ending):
    network, images = tiny_network(seed=4), image_set(5).images
    classifier = load(saved(network, f"mine.{ending}"))
    assert (classifier.name, classifier.image_size, classifier.classes) == (f"mine.{ending}", SIZE, 3)
    assert classifier.class_names is None
    logits = classifier.logits(images)
    assert (logits.shape, logits.dtype) == ((5, 3), np.float32)
    np.testing.assert_allclose(logits, network(images / np.float32(255)), atol=1e-5)


def test_a_keras_model_of_another_input_range(saved, image_set):
    network, images = tiny_network(seed=4), image_set(5).images
    logits = load(saved(network), input_range="-1..1").logits(images)
    np.testing.assert_allclose(logits, network(images / np.float32(127.5) - 1), atol=1e-4)


def test_a_rescaling_inside_states_the_range(saved, image_set, tmp_path):
    image = tf_keras.Input((SIZE, SIZE, 3))
    network = tf_keras.Model(image, tiny_network(seed=4)(tf_keras.layers.Rescaling(1 / 255)(image)))
    images = image_set(30).images
    expected = network(images.astype(np.float32)).numpy()
    np.testing.assert_allclose(load(saved(network)).logits(images), expected, atol=1e-4)
    (tmp_path / "student.tflite").write_bytes(float_to_int8(network, images, "0..255"))
    for stated in (None, "0..255"):
        logits = load(str(tmp_path / "student.tflite"), input_range=stated).logits(images)
        np.testing.assert_allclose(logits, expected, atol=0.04 * np.ptp(expected))


def test_a_model_of_several_outputs_is_no_classifier(tmp_path):
    (tmp_path / "two.tflite").write_bytes(several_ends())
    with pytest.raises(UserError, match="has 2 inputs and 2 outputs: give an image classifier"):
        load(str(tmp_path / "two.tflite"))


def test_a_keras_model_that_ends_in_a_softmax(saved, image_set):
    network, images = tiny_network(seed=4, activation="softmax"), image_set(5).images
    logits = load(saved(network)).logits(images)
    np.testing.assert_allclose(softmax(logits, axis=1), network(images / np.float32(255)), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("activation", [None, "softmax"])
def test_a_quantization_aware_model(saved, image_set, activation):
    images = image_set(5).images
    network = tiny_network(seed=4, activation=activation)
    quantized = tfmot.quantization.keras.quantize_model(network)
    fix_ranges(quantized, network, images)
    quantized(images / np.float32(255), training=True)  # the weights' ranges are set by a training step
    said = quantized(images / np.float32(255)).numpy()
    assert np.ptp(said, axis=0).max() > 0
    logits = load(saved(quantized, "student_qat.h5")).logits(images)
    expected = log_softmax(said, axis=1) if activation is None else np.log(said / said.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(log_softmax(logits, axis=1), expected, atol=1e-4)


def test_an_int8_model(tmp_path, image_set):
    network, images = tiny_network(seed=4), image_set(30).images
    (tmp_path / "student.tflite").write_bytes(float_to_int8(network, images))
    classifier = load(str(tmp_path / "student.tflite"))
    assert (classifier.name, classifier.image_size, classifier.classes) == ("student.tflite", SIZE, 3)
    logits, expected = classifier.logits(images), network(images / np.float32(255)).numpy()
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=0.04 * np.ptp(expected))


def test_the_softmax_of_an_int8_model_is_taken_back(image_set):
    network, images = tiny_network(seed=4, activation="softmax"), image_set(30).images
    network.layers[-1].set_weights([300 * weights for weights in network.layers[-1].get_weights()])
    expected = network(images / np.float32(255)).numpy()
    assert expected.min() < 1 / 512, "a probability that int8 cannot tell from zero is part of this test"
    logits = int8_logits(float_to_int8(network, images), images)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(softmax(logits, axis=1), expected, atol=0.1)


@pytest.mark.slow
def test_a_teachers_folder(tmp_path, image_set):
    teacher = teachers.build("efficientvit_m0@64", 3, "none")
    teachers.save(teacher, ("a", "b", "c"), {}, tmp_path / "taught")
    classifier = load(str(tmp_path / "taught"), image_size=SIZE)
    assert (classifier.name, classifier.image_size, classifier.classes) == ("taught", SIZE, 3)
    assert classifier.class_names == ("a", "b", "c")
    images = image_set(3).images
    np.testing.assert_allclose(classifier.logits(images), teacher.logits(images), atol=1e-4)


def test_class_names_and_threshold_are_those_in_the_files_beside(int8):
    int8.with_suffix(".json").write_text(json.dumps({"class_names": ["a", "b", "c"], "least_margin": 12}))
    found = load(str(int8))
    assert (found.class_names, found.threshold) == (("a", "b", "c"), 12)


def test_what_is_no_model(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        load(str(tmp_path / "absent.keras"))
    with pytest.raises(UserError, match=r"teacher\.json"):
        load(str(tmp_path))
    for name, said in [
        ("model.pt", "unknown file format"),
        ("model.tflite", "is not a .tflite model"),
        ("m.keras", "not a Keras model"),
    ]:
        (tmp_path / name).write_bytes(b"nothing")
        with pytest.raises(UserError, match=said):
            load(str(tmp_path / name))


def test_models_of_other_shapes(saved):
    layers = tf_keras.layers
    for shape in [(8, 16, 3), (None, None, 3), (768,)]:
        image = layers.Input(shape)
        pooled = layers.GlobalAveragePooling2D()(image) if len(shape) == 3 else image
        with pytest.raises(UserError, match=r"square images, \(batch, size, size, bands\)"):
            load(saved(tf_keras.Model(image, layers.Dense(3)(pooled))))
    image = layers.Input((SIZE, SIZE, 3))
    with pytest.raises(UserError, match=r"an image classifier, \(batch, classes\)"):
        load(saved(tf_keras.Model(image, layers.Conv2D(3, 1)(image))))


def test_an_int8_model_of_grey_images(tmp_path):
    layers = tf_keras.layers
    image = layers.Input((SIZE, SIZE, 1))
    network = tf_keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))))
    images = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 1), np.uint8)
    (tmp_path / "grey.tflite").write_bytes(float_to_int8(network, images))
    found = load(str(tmp_path / "grey.tflite"))
    assert (found.channels, found.logits(images).shape) == (1, (4, 3))


@pytest.fixture
def int8(tmp_path, image_set) -> Path:
    path = tmp_path / "student_int8.tflite"
    path.write_bytes(float_to_int8(tiny_network(seed=4), image_set(30).images))
    return path


def test_codes_are_the_logits_before_their_scale(int8, image_set, saved):
    images, classifier = image_set(5).images, load(str(int8))
    codes, logits = classifier.codes(images), classifier.logits(images)
    assert codes.dtype == np.int8
    steps = np.diff(logits, axis=1) / np.diff(codes.astype(float), axis=1)
    np.testing.assert_allclose(steps, steps[0, 0], rtol=1e-5)
    assert classifier.threshold is None
    other = load(saved(tiny_network()))
    assert (other.codes, other.threshold) == (None, None)
