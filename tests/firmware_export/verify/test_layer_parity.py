import dataclasses

import numpy as np
import pytest
import tf_keras

from firmware_export.verify import layer_parity


def test_layers_agree_on_equal_inputs(qat_keras, qat_model, codes):
    assert layer_parity.first_departure(qat_keras, qat_model, codes[:8]) is None


@pytest.mark.parametrize("layer", ["quant_stem", "quant_b1", "quant_logits"])
def test_one_wrong_weight_is_found_in_its_layer(qat_keras, qat_model, codes, layer):
    kernel = next(weight for weight in qat_keras.get_layer(layer).weights if "kernel" in weight.name)
    kept = kernel.numpy()
    wrong = kept.copy()
    largest = np.unravel_index(np.abs(kept).argmax(), kept.shape)
    wrong[largest] = -kept[largest]
    kernel.assign(wrong)
    try:
        said = layer_parity.first_departure(qat_keras, qat_model, codes[:8])
    finally:
        kernel.assign(kept)
    assert said is not None
    assert said.startswith("the first layer that differs on equal inputs is")
    assert layer.removeprefix("quant_") in said


def test_an_output_without_a_keras_layer_cannot_agree(qat_model, codes):
    given = tf_keras.Input((16, 16, 3))
    other = tf_keras.Model(given, tf_keras.layers.Dense(10, name="another")(tf_keras.layers.Flatten()(given)))
    assert "has the name of no Keras layer" in layer_parity.first_departure(other, qat_model, codes[:1])


def test_quantize_saturates(qat_graph):
    tensor = dataclasses.replace(qat_graph.outputs[0], scales=(0.5,), zero_points=(3,))
    assert layer_parity.quantize(np.array([-1e6, 0, 0.3, 1e6]), tensor).tolist() == [-128, 3, 4, 127]
