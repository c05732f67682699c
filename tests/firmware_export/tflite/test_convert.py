import re

import numpy as np
import pytest

from firmware_export.common.errors import UserError
from firmware_export.images.generated import generated_images
from firmware_export.tflite import convert, reader


def _check_promises(model, operators):
    graph = reader.read(model).graph
    reader.check_deployable(graph)
    assert graph.has_unit_input
    assert graph.inputs[0].shape[0] == 1
    assert graph.outputs[0].dtype == "int8"
    assert graph.operator_names == operators


def test_quantization_aware_model_keeps_the_promises(qat_model):
    _check_promises(qat_model.content, ("ADD", "CONV_2D", "FULLY_CONNECTED", "MEAN"))


def test_float_model_keeps_the_promises(ptq_model):
    _check_promises(ptq_model.content, ("ADD", "CONV_2D", "FULLY_CONNECTED", "MEAN"))


def test_dense_layers_have_one_scale(ptq_model):
    dense = ptq_model.graph.operators[-1]
    assert len(dense.inputs[1].scales) == 1


@pytest.mark.slow
def test_converting_again_gives_the_same_bytes(qat_keras, qat_model):
    assert convert.quantized_aware_to_int8(qat_keras) == qat_model.content


@pytest.mark.slow
def test_dim_calibration_images_still_span_zero_to_one(float_keras):
    dim = generated_images((16, 16, 3), 8, seed=3) // 4 + 40
    assert reader.read(convert.float_to_int8(float_keras, dim)).graph.has_unit_input


def test_converter_is_silent(keras, capfd):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3, name="only")], name="one")
    convert.float_to_int8(model, np.zeros((2, 4, 4, 1), np.uint8))
    captured = capfd.readouterr()
    assert captured.err == ""
    assert captured.out == ""


@pytest.mark.parametrize(
    "calibration",
    [
        np.zeros((4, 16, 16, 3), np.float32),
        np.zeros((4, 8, 8, 3), np.uint8),
        np.zeros((0, 16, 16, 3), np.uint8),
        np.zeros((16, 16, 3), np.uint8),
    ],
)
def test_calibration_images_of_the_wrong_kind_are_refused(float_keras, calibration):
    with pytest.raises(UserError, match=r"uint8 \[N, 16, 16, 3\] with N > 0 expected"):
        convert.float_to_int8(float_keras, calibration)


def test_a_float_model_is_not_quantization_aware(float_keras, qat_keras):
    assert convert.is_quantization_aware(qat_keras)
    with pytest.raises(UserError, match="'tiny_resnet' is not quantization-aware"):
        convert.quantized_aware_to_int8(float_keras)


def test_a_free_input_size_is_refused(keras):
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D()])
    with pytest.raises(UserError, match="give it one input of fixed size"):
        convert.check_input(model)


@pytest.mark.parametrize("name", ["my model", "a*", "_hidden"])
def test_a_name_of_which_tensorflow_makes_no_scope_is_refused(keras, tmp_path, name):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)], name=name)
    model.save(tmp_path / "model.h5")
    with pytest.raises(UserError, match=rf"model\.h5: the model's name is '{re.escape(name)}', where TensorFlow takes"):
        convert.load_keras(tmp_path / "model.h5")


def test_saved_models_load_exactly(qat_keras, float_keras, photos, tmp_path):
    batch = photos[:2].astype(np.float32) / 255
    for model, name in ((qat_keras, "qat.h5"), (float_keras, "float.keras"), (float_keras, "float.h5")):
        model.save(tmp_path / name)
        loaded = convert.load_keras(tmp_path / name)
        assert np.array_equal(loaded(batch, training=False), model(batch, training=False))


def test_files_that_do_not_load_are_the_users(float_keras, qat_keras, tmp_path):
    float_keras.save(tmp_path / "whole.keras")
    float_keras.save(tmp_path / "whole.h5")
    qat_keras.save(tmp_path / "qat.keras")  # tfmot 0.8.1 cannot read it back
    for suffix in ("keras", "h5"):
        content = (tmp_path / f"whole.{suffix}").read_bytes()
        (tmp_path / f"cut.{suffix}").write_bytes(content[: len(content) // 2])
        (tmp_path / f"empty.{suffix}").write_bytes(b"")
    for name in ("cut.keras", "cut.h5", "empty.keras", "empty.h5", "absent.h5", "qat.keras"):
        with pytest.raises(UserError) as caught:
            convert.load_keras(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_calibration_uses_the_stated_range(float_keras, photos):
    for name, scale in (("0..255", 1.0), ("-1..1", 2 / 255)):
        model = reader.read(convert.float_to_int8(float_keras, photos[:8], name))
        assert model.graph.inputs[0].scale == pytest.approx(scale)
        assert model.graph.input_range == name
        assert model.graph.has_unit_input
    with pytest.raises(UserError, match="or state the input range"):
        convert.float_to_int8(float_keras, photos[:8], "imagenet")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda layers: layers.Rescaling(1 / 255), "0..255"),
        (lambda layers: layers.Rescaling(1 / 127.5, offset=-1), "0..255"),
        (lambda layers: layers.Rescaling(2.0, offset=-1), "0..1"),
        (lambda layers: layers.Normalization(mean=[120.0] * 3, variance=[3000.0] * 3), "0..255"),
        (lambda layers: layers.Normalization(mean=[0.4] * 3, variance=[0.05] * 3), "0..1"),
        (lambda layers: layers.Conv2D(2, 3), None),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_rescaling_layer_states_the_range(keras, make, expected, nested):
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Flatten()(make(keras.layers)(image)))
    if nested:
        model = keras.Sequential([keras.Input((8, 8, 3)), model])
    assert convert.stated_range(model) == expected


def test_another_input_range_is_refused(qat_graph):
    import dataclasses

    image = dataclasses.replace(qat_graph.inputs[0], scales=(0.0078,), zero_points=(0,))
    with pytest.raises(UserError, match="1/255 and -128 expected: train and calibrate"):
        convert.check_unit_input(dataclasses.replace(qat_graph, inputs=(image,)))
