import numpy as np
import pytest
import tensorflow as tf
from foreign_models import keras_3_copy
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.models.formats.saved_model import check, load

SPEC = tf.TensorSpec([None, 16, 16, 3], tf.float32, name="image")


def saved(function, folder, spec=SPEC):
    """A SavedModel whose signature is a function of images."""
    module = tf.Module()
    module.weights = tf.Variable(np.random.default_rng(0).random((3, 5), np.float32))
    module.serve = tf.function(lambda image: function(image, module.weights), input_signature=[spec])
    tf.saved_model.save(module, str(folder), {"serving_default": module.serve.get_concrete_function()})
    return folder


def pooled(image, weights):
    return tf.reduce_mean(image, [1, 2]) @ weights


def test_it_computes_the_same(tmp_path):
    network = tiny_network(seed=4)
    images = np.random.default_rng(0).random((5, 16, 16, 3), np.float32)
    network.save(tmp_path / "saved", save_format="tf")
    network.export(tmp_path / "exported")
    for name in ("saved", "exported"):
        found = load(tmp_path / name, "mine")
        np.testing.assert_allclose(found(images), network(images), atol=1e-6)
        assert found.parameters == network.count_params()


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_an_export_of_keras_3(tmp_path):
    network = tiny_network(seed=4)
    keras_3_copy(network).export(tmp_path / "three", verbose=False)
    images = np.random.default_rng(0).random((5, 16, 16, 3), np.float32)
    np.testing.assert_allclose(load(tmp_path / "three", "mine")(images), network(images), atol=1e-6)


def test_bands_before_height_and_width(tmp_path):
    spec = tf.TensorSpec([None, 3, 16, 16], tf.float32)
    folder = saved(lambda image, weights: tf.reduce_mean(image, [2, 3]) @ weights, tmp_path / "torch", spec)
    expected = load(saved(pooled, tmp_path / "plain"), "mine")
    images = np.random.default_rng(0).random((5, 16, 16, 3), np.float32)
    np.testing.assert_allclose(load(folder, "mine")(images), expected(images), atol=1e-6)


def test_what_teachers_compute_passes(tmp_path):
    def deep(image, weights):
        x = tf.image.resize(tf.nn.conv2d(image, tf.ones((3, 3, 3, 4)), 2, "SAME"), (7, 7))
        x = tf.nn.max_pool2d(tf.pad(tf.nn.gelu(x), [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT"), 2, 2, "VALID")
        x = tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x)
        x = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 2), (0, x))[1]
        x = tf.einsum("bhwc,bhwd->bcd", x, tf.cast(tf.cast(x, tf.float16), tf.float32))
        return tf.nn.softmax(tf.gather(tf.reduce_mean(x, 1), [0, 1, 2], axis=1) @ weights)

    assert load(saved(deep, tmp_path / "deep"), "mine").output_shape == (None, 5)


HOSTILE = {
    "WriteFile": lambda image: tf.io.write_file("trace", "x"),
    "ReadFile": lambda image: tf.io.read_file("/etc/hostname"),
    "PrintV2": lambda image: tf.raw_ops.PrintV2(input="x", output_stream="file://trace"),
    "EagerPyFunc": lambda image: tf.py_function(lambda: None, [], []),
    "PyFunc": lambda image: tf.numpy_function(lambda: np.float32(0), [], tf.float32),
    "SaveV2": lambda image: tf.raw_ops.SaveV2(
        prefix="trace", tensor_names=["x"], shape_and_slices=[""], tensors=[tf.reduce_sum(image)]
    ),
    "MatchingFiles": lambda image: tf.io.matching_files("*"),
    "ImmutableConst": lambda image: tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[1], memory_region_name="/x"),
}
"""What a model could do besides computing, by the operation that does it."""


@pytest.mark.parametrize("place", ["top", "branch", "inner"])
@pytest.mark.parametrize("operation", HOSTILE)
def test_operations_that_do_not_only_compute_are_refused(tmp_path, monkeypatch, operation, place):
    monkeypatch.chdir(tmp_path)

    def act(image):
        with tf.control_dependencies([tf.group(HOSTILE[operation](image))]):
            return tf.identity(image)

    def spied(image, weights):
        if place == "branch":
            image = tf.cond(tf.reduce_sum(image) > 9, lambda: act(image), lambda: image)
        else:
            image = act(image) if place == "top" else tf.function(act)(image)
        return pooled(image, weights)

    folder = saved(spied, tmp_path / "hostile")
    with pytest.raises(UserError, match=rf"operation {operation} .*--trust-model"):
        load(folder, "mine")
    assert not (tmp_path / "trace").exists()


def test_an_author_can_be_trusted(tmp_path):
    def spied(image, weights):
        tf.print("x")
        return pooled(image, weights)

    assert load(saved(spied, tmp_path / "hostile"), "mine", trust=True).output_shape == (None, 5)


def test_what_is_no_classifier(tmp_path):
    for number, (function, spec, said) in enumerate(
        [
            (lambda image, weights: {"a": image, "b": image}, SPEC, r"mine has 2 outputs \(a, b\)"),
            (pooled, tf.TensorSpec([1, 16, 16, 3], tf.float32), "one image at a time"),
            (pooled, tf.TensorSpec([None, 16, 8, 3], tf.float32), r"input shape \(None, 16, 8, 3\)"),
            (
                lambda image, weights: pooled(tf.cast(image, tf.float32), weights),
                tf.TensorSpec([None, 16, 16, 3], tf.uint8),
                "takes uint8 images",
            ),
        ]
    ):
        with pytest.raises(UserError, match=said):
            load(saved(function, tmp_path / str(number), spec), "mine")


def test_damaged_folders(tmp_path):
    folder = saved(pooled, tmp_path / "mine")
    model = folder / "saved_model.pb"
    content = model.read_bytes()
    model.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"saved_model\.pb is truncated or damaged"):
        check(folder, "mine")
    model.write_bytes(content)
    (folder / "variables" / "variables.index").unlink()
    with pytest.raises(UserError, match="does not load as a SavedModel"):
        load(folder, "mine")
