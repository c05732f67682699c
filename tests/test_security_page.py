"""The statements of SECURITY.md about files are true."""

import zipfile
from pathlib import Path

import pytest
import tf_keras

from firmware_export.common.errors import UserError
from firmware_export.tflite.convert import load_keras

ROOT = Path(__file__).parents[1]


@pytest.fixture
def save_with_lambda(tmp_path):
    """Saves a model whose Lambda layer leaves a file when it runs; returns the paths of the model and of the file."""

    def save(ending: str) -> tuple[Path, Path]:
        trace = tmp_path / "trace"
        layer = tf_keras.layers.Lambda(lambda x, path=str(trace): (open(path, "w").close(), x)[1])
        model = tf_keras.Sequential([tf_keras.layers.Input((4,)), layer])
        model.save(tmp_path / f"model{ending}")
        trace.unlink()
        return tmp_path / f"model{ending}", trace

    return save


def test_a_lambda_layer_in_an_h5_file_runs(save_with_lambda):
    model, trace = save_with_lambda(".h5")
    load_keras(model)
    assert trace.exists(), "if Keras now rejects it, update SECURITY.md"


def test_a_lambda_layer_in_a_keras_file_is_refused(save_with_lambda):
    model, trace = save_with_lambda(".keras")
    with pytest.raises(UserError, match="Lambda layer"):
        load_keras(model)
    assert not trace.exists()


def test_shipped_models_have_no_lambda_layer():
    models = sorted((ROOT / "keras_satkd" / "pretrained").glob("*.keras"))
    assert models
    for model in models:
        with zipfile.ZipFile(model) as archive:
            assert b'"class_name": "Conv2D"' in archive.read("config.json")
            assert b"Lambda" not in archive.read("config.json")
