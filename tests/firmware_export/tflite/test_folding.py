"""Operators that compute shapes become constants, and the outputs stay the same."""

import numpy as np
import pytest

from firmware_export.tflite import convert, folding, reader, sanity
from firmware_export.tflite import model as parser
from firmware_export.tflite.interpreters import TfliteInterpreter


def _int8(model):
    """What the converter writes for a Keras model, whose batch it leaves open."""
    import tensorflow as tf

    generator, shape = np.random.default_rng(0), (1, *model.input_shape[1:])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([generator.random(shape, np.float32)] for _ in range(8))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with convert._quiet():
        return converter.convert()


@pytest.fixture(scope="module")
def free_batch(keras):
    """An int8 model with two RESHAPE of a variable batch, as a converter writes it."""
    image = keras.Input((6, 6, 2))
    rows = keras.layers.Reshape((2, 8))(keras.layers.Conv2D(4, 3, strides=2)(image))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Reshape((16,))(rows)))
    return _int8(model)


def test_shapes_become_constants(free_batch):
    given = parser.parse(free_batch, "free")
    assert {"SHAPE", "STRIDED_SLICE", "PACK"} < set(given.graph.operator_names)
    copy = reader.read(free_batch)
    assert copy.graph.operator_counts == {"CONV_2D": 1, "FULLY_CONNECTED": 1, "RESHAPE": 2}
    assert copy.changes[0].startswith("6 operators that compute shapes (PACK, SHAPE, STRIDED_SLICE) became constants")
    reader.check_deployable(copy.graph)
    before, after = (TfliteInterpreter(model, is_reference=True) for model in (given, copy))
    for codes in np.random.default_rng(1).integers(-128, 128, (8, 1, 6, 6, 2), np.int8):
        np.testing.assert_array_equal(before.invoke(codes), after.invoke(codes))


def test_tensors_that_no_part_holds_are_not_made(free_batch, monkeypatch):
    monkeypatch.setattr(folding, "LARGEST_ACTIVATIONS", 10)
    given = parser.parse(free_batch, "free")
    assert folding.fold_shapes(given, []) is given


def test_a_model_without_them_is_returned(qat_model):
    changes = []
    assert folding.fold_shapes(qat_model, changes) is qat_model
    assert changes == []


@pytest.fixture(scope="module")
def open_sizes(keras):
    """An int8 model of a variable batch whose RESHAPE finds the number of rows: the file has 1 in its place."""
    image = keras.Input((4, 4, 2))
    boxes = keras.layers.Reshape((-1, 4))(keras.layers.Conv2D(8, 3, strides=2, padding="same")(image))
    model = keras.Model(image, keras.layers.Activation("softmax")(keras.layers.Conv1D(3, 1)(boxes)))
    return _int8(model)


def test_sizes_that_a_file_leaves_open_are_those_of_one_image(open_sizes):
    given = parser.parse(open_sizes, "open")
    copy = reader.read(open_sizes)
    assert given.graph.outputs[0].shape != copy.graph.outputs[0].shape == (1, 8, 3)
    assert any("which the file leaves open, are those of a batch of 1" in change for change in copy.changes)
    before, after = (TfliteInterpreter(model, is_reference=True) for model in (given, copy))
    codes = np.random.default_rng(1).integers(-128, 128, (1, 4, 4, 2), np.int8)
    np.testing.assert_array_equal(before.invoke(codes), after.invoke(codes))
    sanity.check_shapes(copy.graph, after.shape)


def test_a_model_without_open_sizes_is_returned(qat_model):
    changes = []
    assert folding.close_shapes(qat_model, changes) is qat_model
    assert changes == []
