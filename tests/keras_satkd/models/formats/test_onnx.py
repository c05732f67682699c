import builtins

import numpy as np
import pytest
from foreign_models import as_onnx
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.models.formats.onnx import load


@pytest.mark.parametrize("bands_first", [True, False])
@pytest.mark.parametrize("batch", ["batch", 1])
def test_it_computes_the_same(tmp_path, bands_first, batch):
    network = tiny_network(seed=4)
    found = load(as_onnx(network, tmp_path / "mine.onnx", bands_first=bands_first, batch=batch), "mine")
    images = np.random.default_rng(0).random((5, 16, 16, 3), np.float32)
    np.testing.assert_allclose(found(images), network(images), atol=1e-6)
    assert (found.input_shape, found.output_shape) == ((None, 16, 16, 3), (None, 3))


def test_weights_beside_the_file_are_part_of_its_digest(tmp_path):
    path = as_onnx(tiny_network(), tmp_path / "mine.onnx")
    alone = load(path, "mine").sha256
    (tmp_path / "mine.onnx.data").write_bytes(b"weights")
    assert load(path, "mine").sha256 != alone


def changed(tmp_path, change):
    import onnx

    path = as_onnx(tiny_network(), tmp_path / "mine.onnx")
    model = onnx.load(path)
    change(model.graph)
    onnx.save(model, path)
    return path


def test_what_is_no_classifier(tmp_path):
    def add_output(graph):
        graph.output.append(graph.output[0])
        graph.output[1].name = "features"

    with pytest.raises(UserError, match=r"mine has 2 outputs \(logits, features\)"):
        load(changed(tmp_path, add_output), "mine")

    def add_batch(graph):
        graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4

    with pytest.raises(UserError, match=r"mine has input shape \(4, 3, 16, 16\)"):
        load(changed(tmp_path, add_batch), "mine")


def test_an_output_without_a_shape_is_measured(tmp_path):
    path = changed(tmp_path, lambda graph: graph.output[0].type.tensor_type.ClearField("shape"))
    assert load(path, "mine").output_shape == (None, 3)


def test_without_onnx_runtime(tmp_path, monkeypatch):
    find = builtins.__import__

    def lacks(name, *arguments, **settings):
        if name == "onnxruntime":
            raise ModuleNotFoundError(name)
        return find(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", lacks)
    with pytest.raises(UserError, match=r'ONNX Runtime, which is not installed: pip install "keras_satkd\[onnx\]"'):
        load(tmp_path / "mine.onnx", "mine")
