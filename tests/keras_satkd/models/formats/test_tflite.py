import numpy as np
import pytest
import tf_keras
from foreign_models import as_tflite
from int8_graphs import several_ends
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from firmware_export.tflite.convert import float_to_int8
from keras_satkd.models.formats.tflite import load


def test_a_float_model_computes_the_same(tmp_path):
    network = tiny_network(seed=4)
    found = load(as_tflite(network, tmp_path / "mine.tflite"), "mine")
    images = np.random.default_rng(0).random((5, 16, 16, 3), np.float32)
    np.testing.assert_allclose(found(images), network(images), atol=1e-6)
    assert (found.output_shape, found.input_range) == ((None, 3), None)
    assert network.count_params() - 7 <= found.parameters <= network.count_params()  # the converter drops zero biases


@pytest.mark.parametrize("input_range", ["0..1", "0..255"])
def test_an_int8_model_states_its_range(tmp_path, image_set, input_range):
    network, images = tiny_network(seed=4), image_set(30).images
    (tmp_path / "mine.tflite").write_bytes(float_to_int8(network, images, input_range))
    found = load(tmp_path / "mine.tflite", "mine")
    assert found.input_range == input_range
    values = images.astype(np.float32) / (255 if input_range == "0..1" else 1)
    expected = network(values).numpy()
    np.testing.assert_allclose(found(values), expected, atol=0.04 * np.ptp(expected))


def test_probabilities_below_half_a_step_count_as_half_a_step(tmp_path, image_set):
    network, images = tiny_network(seed=4), image_set(30).images
    sharp = tf_keras.Model(network.input, tf_keras.layers.Softmax()(network.output * 100.0))
    (tmp_path / "mine.tflite").write_bytes(float_to_int8(sharp, images))
    found = load(tmp_path / "mine.tflite", "mine")(images / np.float32(255))
    assert np.min(found) == 1 / 512
    assert np.max(found) == 255 / 256


def test_several_ends(tmp_path):
    (tmp_path / "two.tflite").write_bytes(several_ends())
    with pytest.raises(UserError, match="mine has 2 inputs"):
        load(tmp_path / "two.tflite", "mine")
