import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy.special import log_softmax
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.models.teacher_models import load_logits, load_model, saved_model
from keras_satkd.models.teacher_settings import TeacherSettings

SIZE = 16


def hidden_softmax(network, how):
    """A network with probabilities that its last layer does not show."""
    if how == "nested":
        image = tf_keras.layers.Input((SIZE, SIZE, 3))
        return tf_keras.Model(image, tf_keras.Sequential([network, tf_keras.layers.Softmax()])(image))
    probabilities = tf_keras.layers.Softmax(dtype="float16" if how == "float16" else None)(network.output)
    if how == "function":
        probabilities = tf.nn.softmax(network.output)
    return tf_keras.Model(network.input, tf_keras.layers.Reshape((3,))(probabilities))


@pytest.mark.parametrize("how", ["reshaped", "nested", "float16", "function"])
def test_a_hidden_softmax_is_seen_in_the_outputs(how, image_set):
    network = tiny_network(seed=4)
    teacher = saved_model("mine", hidden_softmax(network, how), "0..1", "teacher mine")
    assert teacher.gives_probabilities
    images = image_set(3).images
    expected = log_softmax(network(images / np.float32(255)).numpy(), axis=1)
    np.testing.assert_allclose(log_softmax(teacher.logits(images).numpy(), axis=1), expected, atol=5e-3)


def test_logits_are_no_probabilities():
    assert not saved_model("mine", tiny_network(seed=4), "0..1", "teacher mine").gives_probabilities


def test_outputs_that_are_no_row_of_logits():
    image = tf_keras.layers.Input((SIZE, SIZE, 3))
    features = tf_keras.layers.Conv2D(4, 1)(image)
    for outputs, message in (
        (features, r"mine has output shape \(None, 16, 16, 4\): give an image classifier, \(batch, classes\)"),
        ([tf_keras.layers.Flatten()(features)] * 2, "mine has output shape"),
        (tf_keras.layers.Flatten()(features) / 0.0, "mine gives NaN or infinity"),
    ):
        with pytest.raises(UserError, match=message):
            saved_model("mine", tf_keras.Model(image, outputs), "0..1", "teacher mine")


def loaded(path, **settings):
    return load_model("mine", path, TeacherSettings(**settings), "0..1")


def test_a_model_with_the_same_weights_in_other_layers_has_another_digest(tmp_path):
    network = tiny_network(seed=4)
    image = tf_keras.layers.Input((SIZE, SIZE, 3))
    mirrored = tf_keras.Model(image, network(image[:, :, ::-1]))
    for name, each in (("plain", network), ("again", network), ("mirrored", mirrored)):
        each.save(tmp_path / f"{name}.keras")
    plain, mirrored = (loaded(tmp_path / f"{name}.keras") for name in ("plain", "mirrored"))
    assert plain.digest() == loaded(tmp_path / "plain.keras").digest() != mirrored.digest()
    for one, other in zip(plain.network.weights, mirrored.network.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_settings_of_a_model(tmp_path, image_set):
    tiny_network(seed=4).save(tmp_path / "mine.keras")
    path, images = tmp_path / "mine.keras", image_set(3).images
    names = ("Forest", "Lake", "River")
    found = loaded(path, input_range="-1..1", bands=(3, 2, 1), class_names=names, input_size=SIZE)
    assert (found.input_range, found.bands, found.class_names, found.input_size) == ("-1..1", (2, 1, 0), names, SIZE)
    expected = tiny_network(seed=4)(images[..., ::-1] / np.float32(127.5) - 1)
    np.testing.assert_allclose(found.logits(images), expected, atol=1e-5)
    assert loaded(path, outputs="logits").digest() == loaded(path).digest()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_size": 32}, "takes images of 16 pixels, and its input_size is 32"),
        ({"bands": (1, 2)}, "takes 3 bands, and its settings name 2"),
        ({"class_names": ("a", "b")}, "has 3 outputs, and its settings name 2 classes"),
        ({"outputs": "probabilities"}, "no probabilities, such as .*: state outputs = 'logits'"),
    ],
)
def test_settings_that_do_not_fit(tmp_path, settings, message):
    tiny_network(seed=4).save(tmp_path / "mine.keras")
    with pytest.raises(UserError, match=message):
        loaded(tmp_path / "mine.keras", **settings)


def test_bands_by_name(tmp_path):
    tiny_network(seed=4).save(tmp_path / "mine.keras")
    found = loaded(tmp_path / "mine.keras", bands=("B02", "B03", "B04"))
    assert (found.bands, found.band_names) == ((), ("B02", "B03", "B04"))


def test_a_model_of_any_size_needs_one(tmp_path):
    image = tf_keras.layers.Input((None, None, 3))
    features = tf_keras.layers.GlobalAveragePooling2D()(tf_keras.layers.Conv2D(4, 3)(image))
    tf_keras.Model(image, tf_keras.layers.Dense(3)(features)).save(tmp_path / "any.keras")
    with pytest.raises(UserError, match=r"size, bands\), or state its input_size in a TOML file"):
        loaded(tmp_path / "any.keras")
    assert loaded(tmp_path / "any.keras", input_size=20).input_size == 20


def test_a_range_of_rgb_is_not_one_of_other_bands(tmp_path):
    image = tf_keras.layers.Input((SIZE, SIZE, 2))
    tf_keras.Model(image, tf_keras.layers.Dense(3)(tf_keras.layers.Flatten()(image))).save(tmp_path / "two.keras")
    assert loaded(tmp_path / "two.keras", bands=(1, 4)).network.input_shape[-1] == 2
    with pytest.raises(UserError, match=r"takes 2 bands, and the range imagenet is one of RGB"):
        loaded(tmp_path / "two.keras", bands=(1, 4), input_range="imagenet")


def test_a_folder_that_is_no_saved_model(tmp_path):
    with pytest.raises(UserError, match="is no SavedModel"):
        loaded(tmp_path)


def test_settings_of_a_file_of_logits(tmp_path):
    path = tmp_path / "given.npz"
    np.savez(path, names=np.array(["a"]), logits=np.array([[0.2, 0.8]], np.float32))
    assert load_logits("given", path, TeacherSettings()).gives_probabilities
    found = load_logits("given", path, TeacherSettings(outputs="logits", class_names=("x", "y")))
    assert (found.gives_probabilities, found.class_names) == (False, ("x", "y"))
    with pytest.raises(UserError, match=r"input_range is for models, and given\.npz holds logits"):
        load_logits("given", path, TeacherSettings(input_range="0..1"))
    with pytest.raises(UserError, match="has 2 outputs, and its settings name 3"):
        load_logits("given", path, TeacherSettings(class_names=("x", "y", "z")))
    np.savez(path, names=np.array(["a"]), logits=np.array([[0.2, 0.8]], np.float32), class_names=np.array(["p", "q"]))
    with pytest.raises(UserError, match="class_names differ"):
        load_logits("given", path, TeacherSettings(class_names=("x", "y")))
