import logging

import pytest
import tf_keras
from tf_keras import layers

from firmware_export.common.errors import UserError
from keras_satkd.pipeline import own_student

pytestmark = pytest.mark.slow  # each test converts a network


def with_layer(make):
    image = layers.Input((8, 8, 3))
    features = make(layers.Conv2D(4, 3, padding="same")(image))
    return tf_keras.Model(image, layers.Dense(2)(layers.Flatten()(features)), name="mine")


class Own(layers.Layer):
    """A layer that no other process knows."""


@pytest.mark.parametrize("is_quantized_in_training", [True, False])
def test_what_both_engines_run_passes_without_a_word(caplog, is_quantized_in_training):
    own_student.check(with_layer(layers.ReLU()), "mine", is_quantized_in_training=is_quantized_in_training)
    assert not caplog.records


def test_an_operator_that_only_the_row_engine_lacks_is_a_warning(caplog):
    upsampled = with_layer(layers.UpSampling2D(interpolation="bilinear"))
    with caplog.at_level(logging.WARNING):
        own_student.check(upsampled, "mine", is_quantized_in_training=False)
    [record] = caplog.records
    assert "student mine runs in TFLM, but not in the row engine" in record.getMessage()
    assert "RESIZE_BILINEAR" in record.getMessage()


@pytest.mark.parametrize(
    ("make", "is_quantized_in_training", "said"),
    [
        (lambda x: layers.LayerNormalization()(x), True, "LayerNormalization"),
        (lambda x: layers.Lambda(lambda y: y)(x), False, "its file: .*Lambda"),
        (lambda x: Own()(x), False, "its file: .*Own"),
        (lambda x: layers.Activation("gelu")(x), False, "convert|lacks"),
        (lambda x: layers.SeparableConv2D(4, 3)(x), True, "DepthwiseConv2D and a Conv2D"),
    ],
)
def test_what_cannot_be_exported_is_one_line(make, is_quantized_in_training, said):
    with pytest.raises(UserError, match=rf"^student mine cannot be exported: .*({said})") as error:
        own_student.check(with_layer(make), "mine", is_quantized_in_training=is_quantized_in_training)
    assert "\n" not in str(error.value)
