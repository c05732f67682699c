import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from firmware_export.common.errors import UserError
from keras_satkd.models.student_checks import check_ends


def network(shape=(16, 16, 3), classes=3, *, last=None, first=(), **settings):
    image = layers.Input(shape, **settings)
    features = image
    for layer in first:
        features = layer(features)
    features = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(features))
    logits = layers.Dense(classes)(features)
    return tf_keras.Model(image, logits if last is None else last(logits))


def two_outputs():
    made = network()
    return tf_keras.Model(made.input, [made.output, made.layers[1].output])


def frozen():
    made = network()
    made.trainable = False
    return made


def not_a_number():
    made = network()
    kernel, bias = made.layers[1].get_weights()
    kernel[0, 0, 0, 0] = np.nan
    made.layers[1].set_weights([kernel, bias])
    return made


class Subclass(tf_keras.Model):
    pass


def test_a_network_that_fits():
    check_ends(network(), "mine", 16, 3, 3)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: network(batch_size=8), r"fixed batch, input shape \(8, 16, 16, 3\): .*layers\.Input\(\(16, 16, 3\)\)"),
        (lambda: network((32, 32, 3)), r"input shape \(None, 32, 32, 3\), but the images give \(None, 16, 16, 3\)"),
        (lambda: network((16, 16, 4)), r"--data\.bands"),
        (lambda: network((None, None, 3)), r"input shape \(None, None, None, 3\)"),
        (lambda: network(classes=4), r"output shape \(None, 4\), but the images have 3 classes"),
        (two_outputs, r"has 2 outputs"),
        (lambda: network(first=[layers.Rescaling(1 / 255)]), r"divides pixels by 255 itself"),
        (lambda: network(last=layers.Softmax()), r"ends in a softmax"),
        (lambda: network(last=layers.Activation("softmax")), r"ends in a softmax"),
        (lambda: network(last=layers.Activation("sigmoid")), r"ends in a sigmoid, but the loss needs logits"),
        (lambda: network(last=layers.Dense(3, "relu")), r"ends in a relu"),
        (lambda: network(last=layers.ReLU()), r"ends in a relu"),
        (not_a_number, r"has weights that are NaN or infinite, in its layer 'conv2d"),
        (lambda: tf_keras.Sequential(network().layers, name="a b"), r"the model's name is 'a b'"),
        (frozen, r"no trainable weights"),
        (Subclass, r"subclass of tf_keras\.Model"),
    ],
)
def test_what_does_not_fit_is_one_line(make, said):
    with pytest.raises(UserError, match=rf"^student mine.*{said}") as error:
        check_ends(make(), "mine", 16, 3, 3)
    assert "\n" not in str(error.value)
