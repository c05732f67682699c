import subprocess
import sys

import numpy as np
import pytest
from foreign_models import keras_3_copy
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.models.formats.keras_3 import load

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation", "ignore:You are saving your model as an HDF5"
)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_it_computes_the_same(tmp_path, ending):
    network = tiny_network(seed=4)
    path = tmp_path / f"three.{ending}"
    keras_3_copy(network).save(path)
    found = load(path, "mine")
    images = np.random.default_rng(0).random((5, 16, 16, 3), np.float32)
    np.testing.assert_allclose(found(images), network(images), atol=1e-6)
    assert (found.parameters, found.bytes) == (network.count_params(), path.stat().st_size)


def test_a_sequential_model_takes_any_number_of_images(tmp_path):
    import keras

    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    images = np.random.default_rng(0).random((8, 16, 16, 3), np.float32)
    expected = np.asarray(model(images))
    model.save(tmp_path / "three.keras")
    found = load(tmp_path / "three.keras", "mine")
    assert (found.input_shape, found.output_shape) == ((None, 16, 16, 3), (None, 3))
    for number in (1, 5, 8):
        np.testing.assert_allclose(found(images[:number]), expected[:number], atol=1e-5)


def test_layers_and_operations_that_teachers_have(tmp_path):
    import keras

    layers = keras.layers
    image = keras.Input((16, 16, 3))
    patches = layers.Reshape((16, 8))(layers.Conv2D(8, 4, 4, activation="gelu", kernel_regularizer="l2")(image))
    features = layers.LayerNormalization()(patches) + layers.MultiHeadAttention(1, 4)(patches, patches)
    features = keras.ops.mean(features[:, 1:], axis=1) * 2.0
    model = keras.Model(image, layers.Dense(3, "softmax", dtype="float32")(features))
    model.compile("adam", "categorical_crossentropy")
    model.save(tmp_path / "three.keras")
    images = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    np.testing.assert_allclose(load(tmp_path / "three.keras", "mine")(images), model(images), atol=1e-6)


def with_lambda(path):
    import keras

    image = keras.Input((16, 16, 3))
    spied = keras.layers.Lambda(lambda x: x * 2, name="spy", output_shape=(16, 16, 3))(image)
    keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(spied))).save(path)
    return path


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_code_is_refused_before_it_runs(tmp_path, ending):
    path = with_lambda(tmp_path / f"hostile.{ending}")
    with pytest.raises(UserError, match=r"layer 'spy': it is a Lambda.*--trust-model"):
        load(path, "mine")
    assert load(path, "mine", trust=True).output_shape == (None, 3)


@pytest.mark.parametrize("kind", ["TFSMLayer", "TorchModuleWrapper", "JaxLayer", "StringLookup", "get_file"])
def test_layers_that_load_other_things_are_refused(tmp_path, kind):
    import json
    import zipfile

    keras_3_copy(tiny_network()).save(tmp_path / "three.keras")
    with zipfile.ZipFile(tmp_path / "three.keras") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(contents["config.json"])
    description["config"]["layers"][1] |= {"class_name": kind, "module": "keras.layers"}
    contents["config.json"] = json.dumps(description).encode()
    with zipfile.ZipFile(tmp_path / "hostile.keras", "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match=f"'{kind}' is none of the classes and functions of Keras"):
        load(tmp_path / "hostile.keras", "mine")


def test_two_outputs(tmp_path):
    import keras

    image = keras.Input((16, 16, 3))
    keras.Model(image, [keras.layers.Dense(3)(keras.layers.Flatten()(image))] * 2).save(tmp_path / "two.keras")
    with pytest.raises(UserError, match="mine has 2 outputs: give an image classifier"):
        load(tmp_path / "two.keras", "mine")


@pytest.mark.slow
def test_another_backend_in_this_process(tmp_path):
    keras_3_copy(tiny_network()).save(tmp_path / "three.keras")
    code = (
        "import os; os.environ['KERAS_BACKEND'] = 'numpy'; import keras\n"
        "from pathlib import Path\n"
        "from firmware_export.common.errors import exit_on_user_error\n"
        "from keras_satkd.models.formats import keras_3\n"
        f"exit_on_user_error(lambda: keras_3.load(Path({str(tmp_path / 'three.keras')!r}), 'mine'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "Keras 3 runs on numpy in this process" in done.stderr
