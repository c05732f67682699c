import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from firmware_export.rows.compile import compile_rows
from firmware_export.rows.verify import check_answers
from firmware_export.tflite import interpreters
from firmware_export.tflite.convert import float_to_int8, quantized_aware_to_int8
from firmware_export.tflite.reader import read
from keras_satkd.models import attention
from keras_satkd.training.qat_model import quantization_aware
from keras_satkd.training.qat_ranges import fix_ranges

BLOCKS = (attention.squeeze_excitation, attention.gluse, attention.cbam)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3), np.uint8)


def student(block):
    tf_keras.utils.set_random_seed(0)
    image = layers.Input((12, 12, 3))
    features = layers.ReLU()(layers.Conv2D(8, 3, 2, padding="same")(image))
    features = block(features, "block", 4)
    return tf_keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(features)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights_of(model):
    return {layer.name: [w[0, 0] if w.ndim == 4 else w for w in layer.get_weights()] for layer in model.layers}


def dense(x, weights):
    return x @ weights[0] + weights[1]


def block_alone(block):
    tf_keras.utils.set_random_seed(1)
    features = layers.Input((4, 5, 8))
    model = tf_keras.Model(features, block(features, "block", 4))
    x = np.random.default_rng(2).normal(size=(2, 4, 5, 8)).astype(np.float32)
    return model, x, model(x).numpy(), weights_of(model)


def se_in_numpy(x, weights, name):
    hidden = np.maximum(dense(x.mean((1, 2)), weights[f"{name}_reduce"]), 0)
    return x * sigmoid(dense(hidden, weights[f"{name}_expand"]))[:, None, None]


def test_se_in_numpy():
    _, x, y, weights = block_alone(attention.squeeze_excitation)
    np.testing.assert_allclose(y, se_in_numpy(x, weights, "block"), atol=1e-5)


def test_gluse_in_numpy():
    _, x, y, weights = block_alone(attention.gluse)
    gated = dense(x, weights["block_value"]) * sigmoid(dense(x, weights["block_gate"]))
    np.testing.assert_allclose(y, se_in_numpy(x, weights, "block_se") + gated, atol=1e-5)


def test_cbam_in_numpy():
    model, x, y, weights = block_alone(attention.cbam)

    def m(z):
        return dense(np.maximum(dense(z, weights["block_reduce"]), 0), weights["block_expand"])

    scaled = x * sigmoid((m(x.mean((1, 2))) + m(x.max((1, 2)))) / 2)[:, None, None]
    kernel = model.get_layer("block_pixel_convolution").get_weights()[0]
    padded = np.pad(np.stack([scaled.mean(-1), scaled.max(-1)], -1), ((0, 0), (3, 3), (3, 3), (0, 0)))
    gate = np.array(
        [
            [[(padded[b, i : i + 7, j : j + 7] * kernel[..., 0]).sum() for j in range(5)] for i in range(4)]
            for b in range(2)
        ]
    )
    np.testing.assert_allclose(y, scaled * sigmoid(gate / np.sqrt(1 + 1e-5))[..., None], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("is_quantized_in_training", [True, False])
def test_the_row_engine_gives_tflms_codes(block, is_quantized_in_training):
    network = student(block)
    if is_quantized_in_training:
        quantized = quantization_aware(network)
        fix_ranges(quantized, network, IMAGES)
        model = read(quantized_aware_to_int8(quantized))
    else:
        model = read(float_to_int8(network, IMAGES))
    inputs = interpreters.quantize_input(IMAGES, model.graph)
    outputs = interpreters.run(model, inputs)
    assert len(np.unique(outputs)) > 5
    assert check_answers(compile_rows(model, ""), interpreters.firmware_input(inputs, model.graph), outputs)
