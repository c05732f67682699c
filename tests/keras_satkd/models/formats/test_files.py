import numpy as np
import pytest
import tf_keras
from foreign_models import as_onnx, as_tflite, keras_3_copy
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.models.formats import files
from keras_satkd.models.formats.foreign import ForeignNetwork


def saved(kind, folder):
    """The path of the tiny network in a format."""
    network = tiny_network(seed=4)
    if kind == "onnx":
        return as_onnx(network, folder / "mine.onnx")
    if kind == "tflite":
        return as_tflite(network, folder / "mine.tflite")
    path = folder / {"SavedModel": "mine", "exported": "mine", "legacy": "mine.keras"}.get(kind, "mine.keras")
    if kind == "exported":
        network.export(path)
    elif kind == "Keras 3":
        keras_3_copy(network).save(path)
    else:
        network.save(path, save_format="tf" if kind == "SavedModel" else None)
    return path


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("kind", ["legacy", "Keras 3", "SavedModel", "exported", "onnx", "tflite"])
def test_the_same_network_in_every_format(tmp_path, kind):
    path = saved(kind, tmp_path)
    assert files.is_saved_model(path) == (kind in ("SavedModel", "exported"))
    found = files.load(path, "teacher mine")
    assert files.stated_range(found) is None
    assert isinstance(found, ForeignNetwork) == (kind != "legacy")
    images = np.random.default_rng(0).random((5, 16, 16, 3), np.float32)
    np.testing.assert_allclose(found(images, training=False), tiny_network(seed=4)(images), atol=1e-6)
    assert (found.input_shape, found.output_shape) == ((None, 16, 16, 3), (None, 3))


@pytest.mark.parametrize("name", ["mine.keras", "mine.onnx", "mine.tflite", "mine.h5", "mine/saved_model.pb"])
def test_damaged_files(tmp_path, name):
    if name.endswith("onnx"):
        pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"nothing")
    path = path.parent if path.suffix == ".pb" else path
    with pytest.raises(UserError, match="mine") as caught:
        files.load(path, f"teacher {path}")
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("kind", ["legacy", "Keras 3"])
def test_a_rescaling_shows_the_range(tmp_path, kind):
    import keras

    library = tf_keras if kind == "legacy" else keras
    image = library.layers.Input((16, 16, 3))
    scaled = library.layers.Rescaling(1 / 255)(image)
    model = library.Model(image, library.layers.Dense(3)(library.layers.Flatten()(scaled)))
    model.save(tmp_path / "mine.keras")
    assert files.stated_range(files.load(tmp_path / "mine.keras", "mine")) == "0..255"
