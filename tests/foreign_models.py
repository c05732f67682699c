"""One small network in every format that a teacher can have."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras


def keras_3_copy(network: tf_keras.Model):
    """The tiny network of `tests_support` as a model of Keras 3."""
    import keras

    size, classes = network.input_shape[1], network.output_shape[1]
    layers = keras.layers
    image = keras.Input((size, size, 3))
    features = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Conv2D(4, 3, 4)(image)))
    copied = keras.Model(image, layers.Dense(classes)(features))
    copied.set_weights(network.get_weights())
    return copied


def as_onnx(network: tf_keras.Model, path: Path, *, bands_first: bool = True, batch: int | str = "batch") -> Path:
    """The tiny network as ONNX, by default with the order of axes of PyTorch. Skips the test without `onnx`."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    kernel, bias, weights, offsets = network.get_weights()
    size, classes = network.input_shape[1], network.output_shape[1]
    constants = {"kernel": kernel.transpose(3, 2, 0, 1), "bias": bias, "weights": weights, "offsets": offsets}
    nodes = [
        helper.make_node("Conv", ["channels", "kernel", "bias"], ["features"], strides=[4, 4]),
        helper.make_node("Relu", ["features"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "offsets"], ["logits"]),
    ]
    first = helper.make_node("Identity", ["image"], ["channels"])
    if not bands_first:
        first = helper.make_node("Transpose", ["image"], ["channels"], perm=[0, 3, 1, 2])
    shape = [batch, 3, size, size] if bands_first else [batch, size, size, 3]
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [first, *nodes],
        "tiny",
        [helper.make_tensor_value_info("image", floats, shape)],
        [helper.make_tensor_value_info("logits", floats, [batch, classes])],
        [numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def as_tflite(network: tf_keras.Model, path: Path) -> Path:
    """The network as a float `.tflite`."""
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    return path
