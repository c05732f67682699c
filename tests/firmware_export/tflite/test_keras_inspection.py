import h5py
import numpy as np
import pytest
import tf_keras
from hostile_models import LIVE, convolution, edited, plain, saved

from firmware_export.common.errors import UserError
from firmware_export.tflite import convert, keras_inspection
from firmware_export.tflite.convert import load_keras

CONTAINERS = ("model.h5", "model.hdf5", "model.h5.keras", "model", "zip.keras", "zip.h5", "zip")
"""File names; those with `zip` are zip files. Keras loads some by their content, whatever their suffix."""


def refused(path, *said):
    with pytest.raises(UserError) as caught:
        load_keras(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    for text in said:
        assert text in message, message


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("kind", LIVE)
def test_code_in_a_model_is_refused_before_it_runs(tmp_path, kind, name):
    trace = tmp_path / "trace"
    path = saved(LIVE[kind], tmp_path / name, trace)
    layer = "'custom'" if kind == "custom" else "'spy'"
    refused(path, f"layer {layer}", "can run code", "--trust-model")
    assert not trace.exists()


def test_a_trusted_model_is_loaded_and_its_code_runs(tmp_path):
    trace = tmp_path / "trace"
    for name in ("model.h5", "zip.keras"):
        load_keras(saved(LIVE["top level"], tmp_path / name, trace), trust=True)
        assert trace.exists()


@pytest.mark.parametrize("trust", [False, True])
def test_a_saved_model_folder_is_not_read(tmp_path, trust):
    trace = tmp_path / "trace"
    LIVE["top level"](trace).save(tmp_path / "folder", save_format="tf")
    trace.unlink()
    if trust:
        load_keras(tmp_path / "folder", trust=True)
    else:
        refused(tmp_path / "folder", "SavedModel")
        assert not trace.exists()


def _function(name, module, registered="function"):
    return {"module": module, "class_name": "function", "config": name, "registered_name": registered}


EDITS = {
    "module of the system": {"module": "os", "class_name": "system", "config": {"command": "x"}},
    "class elsewhere": {"module": "subprocess", "class_name": "Dense", "config": {}},
    "module that begins with keras": {"module": "keras_evil", "class_name": "Dense", "config": {}},
    "registered elsewhere": {"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": "a>b"},
    "bytecode": {"class_name": "__lambda__", "config": {"value": ["4wA=", None, None]}},
    "type": {"class_name": "__typespec__", "module": "os", "spec_name": "x", "registered_name": None, "config": {}},
    "function of the system": _function("system", "os"),
    "builtin": _function("exec", "builtins"),
    "registered function": _function("relu", "builtins", "mine>relu"),
    "download": {"module": "keras.utils", "class_name": "get_file", "config": {}},
    "file": {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
    "operation": {"class_name": "TFOpLambda", "config": {"name": "write", "function": "io.write_file"}},
    "python operation": {"class_name": "TFOpLambda", "config": {"name": "write", "function": "py_function"}},
    "raw operation": {"class_name": "TFOpLambda", "config": {"name": "write", "function": "raw_ops.WriteFile"}},
    "operation without a name": {"class_name": "SlicingOpLambda", "config": {"name": "write"}},
    "graph node": {"class_name": "TensorFlowOpLayer", "config": {"node_def": "", "name": "write"}},
    "method": {"class_name": "ClassMethod", "config": {"cls_symbol": "os", "method_name": "system"}},
    "no name": {"class_name": ["Dense"], "config": {}},
}
"""Parts of a description that must not pass, wherever they are."""


@pytest.mark.parametrize("name", ["model.h5", "zip.keras"])
@pytest.mark.parametrize("place", ["activation", "layer", "deep", "compile_config"])
@pytest.mark.parametrize("part", EDITS)
def test_a_description_that_names_something_else_is_refused(tmp_path, part, place, name):
    def edit(description):
        layer = convolution(description)
        if place == "layer":
            layer.update(EDITS[part])
        elif place == "deep":
            layer["config"]["kernel_initializer"] = {"class_name": "Zeros", "config": {"a": [[{"b": EDITS[part]}]]}}
        elif place == "compile_config":
            layer["compile_config"] = {"optimizer": EDITS[part]}
        else:
            layer["config"]["activation"] = EDITS[part]

    refused(edited(plain(tmp_path / name), edit), "can run code or read files")


def own_loss(_true, predicted):
    return predicted


@pytest.mark.parametrize("name", ["model.h5", "zip.keras"])
def test_what_students_and_teachers_are_made_of_passes(tmp_path, name):
    layers = tf_keras.layers
    image = layers.Input((16, 16, 3))
    body = tf_keras.Sequential(
        [layers.Conv2D(4, 3, activation="gelu", kernel_regularizer="l2"), layers.LayerNormalization()]
    )
    features = body(layers.Rescaling(2.0, -1.0)(image))
    features = layers.MultiHeadAttention(1, 2)(*[layers.Reshape((-1, 4))(features)] * 2)
    features = features[:, 1:] * 2 + tf_keras.activations.swish(features[:, 1:])
    pooled = layers.Bidirectional(layers.LSTM(2))(features)
    model = tf_keras.Model(image, layers.Dense(3, "softmax", kernel_constraint="max_norm", dtype="float32")(pooled))
    # Its optimizer is not loaded, so it may be anything.
    model.compile(tf_keras.optimizers.Adam(1e-3), loss=own_loss)
    model.save(tmp_path / name)
    pixels = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    np.testing.assert_allclose(load_keras(tmp_path / name)(pixels), model(pixels), atol=1e-6)


@pytest.mark.parametrize("kind", ["external link", "external values", "virtual values"])
@pytest.mark.parametrize("name", ["model.h5", "zip.keras", "only.weights.h5"])
def test_values_from_another_file_are_refused(tmp_path, kind, name):
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["values"] = np.arange(4, dtype=np.float32)
    target = tmp_path / "inner.h5"
    plain(target)
    with h5py.File(target, "r+") as file:
        if kind == "external link":
            file["hidden/kernel"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "values")
        elif kind == "external values":
            file.create_dataset("hidden/kernel", (4,), "f4", external=[(str(tmp_path / "secret.h5"), 0, 16)])
        else:
            layout = h5py.VirtualLayout((4,), "f4")
            layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "values", (4,))
            file.create_virtual_dataset("hidden/kernel", layout)
    check = keras_inspection.check_weights if name == "only.weights.h5" else load_keras
    path = target.rename(tmp_path / name) if "zip" not in name else _with_weights(plain(tmp_path / name), target)
    with pytest.raises(UserError, match="another file"):
        check(path)


def _with_weights(path, weights):
    import zipfile

    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.write(weights, "model.weights.h5")
    return path


def test_links_within_a_file_end(tmp_path):
    path = plain(tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        file["model_weights/circle"] = file["model_weights"]
        file["model_weights/soft"] = h5py.SoftLink("/model_weights")
        file["model_weights/broken"] = h5py.SoftLink("/absent")
    load_keras(path)


@pytest.mark.parametrize("text", ["{", "[]", "3", "[" * 100_000, '{"class_name": "Functional"}'])
def test_a_damaged_description_is_the_files(tmp_path, text):
    path = plain(tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
        file.attrs["model_config"] = np.bytes_(text) if len(text) < 1000 else text
    refused(path)


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_a_model_of_keras_3_is_named(tmp_path):
    import keras as keras_3

    image = keras_3.Input((4, 4, 3))
    keras_3.Model(image, keras_3.layers.Conv2D(2, 3)(image)).save(tmp_path / "three.keras")
    refused(tmp_path / "three.keras", "was saved by Keras 3", "save it with tf_keras")


def test_a_quantization_aware_model_passes(tmp_path, qat_keras):
    qat_keras.save(tmp_path / "qat.h5")
    keras_inspection.check_model(tmp_path / "qat.h5")
    assert convert.is_quantization_aware(load_keras(tmp_path / "qat.h5"))
