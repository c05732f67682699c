import pytest
import tensorflow_model_optimization as tfmot
import tf_keras
from tf_keras import layers

from firmware_export.common.errors import UserError
from keras_satkd.models import students
from keras_satkd.training.qat_model import quantization_aware


def with_layer(*made):
    """A small student with some layers behind its convolution."""
    image = layers.Input((8, 8, 3))
    features = layers.Conv2D(4, 3, padding="same", name="convolution")(image)
    for layer in made:
        features = layer(features)
    return tf_keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(features)), name="mine")


def test_our_students_are_quantized_as_tfmot_does():
    student = students.build("resnet8", 16, 3)
    ours = _numbered_anew(quantization_aware, student)
    theirs = _numbered_anew(tfmot.quantization.keras.quantize_model, student)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [(weights.name, weights.shape) for weights in ours.weights] == [
        (weights.name, weights.shape) for weights in theirs.weights
    ]


def _numbered_anew(quantize, student):
    tf_keras.backend.reset_uids()
    return quantize(student)


@pytest.mark.parametrize(("kind", "has_range"), [("Multiply", True), ("Subtract", True), ("Maximum", False)])
def test_layers_of_two_inputs_that_tfmot_refuses(kind, has_range):
    merge = getattr(layers, kind)(name="merge")
    student = with_layer(lambda x: merge([x, layers.Conv2D(4, 1)(x)]))
    quantized = quantization_aware(student)
    names = {weights.name.split("/")[-1] for weights in quantized.get_layer("quant_merge").weights}
    assert ("output_max:0" in names) == has_range


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: layers.LayerNormalization(name="norm"),
            r"layer 'norm' is a LayerNormalization, which .* lacks: use Conv2D",
        ),
        (lambda: layers.PReLU(name="prelu"), r"layer 'prelu' is a PReLU"),
        (lambda: tf_keras.Sequential([layers.Conv2D(4, 1)], name="inner"), r"'inner' is a model within the model"),
        (lambda: layers.SeparableConv2D(4, 3, name="separable"), r"'separable' is a SeparableConv2D: use a Depthwise"),
        (lambda: layers.Activation("elu", name="elu"), r"elu"),
    ],
)
def test_what_cannot_be_quantized_is_one_line(make, said):
    with pytest.raises(UserError, match=rf"^student mine.*{said}") as error:
        quantization_aware(with_layer(make()))
    assert "\n" not in str(error.value)
