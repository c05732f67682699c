import time

import numpy as np
import tf_keras
from tests_support import tiny_network

from keras_satkd.evaluation.costs import TIMED_IMAGES, milliseconds, network_cost
from keras_satkd.models import students

IMAGES = np.zeros((30, 16, 16, 3), np.uint8)


def test_cost_of_a_network_by_hand():
    # A 3×3 convolution of 3 channels to 4, stride 4, without padding: 4×4 positions; then 4 to 3.
    cost = network_cost(tiny_network(), lambda images: images, IMAGES)
    assert cost["parameters"] == 3 * 3 * 3 * 4 + 4 + 4 * 3 + 3
    assert cost["macs"] == 4 * 4 * 3 * 3 * 3 * 4 + 4 * 3
    assert cost["bytes"] == 4 * cost["parameters"]


def test_a_network_within_a_network_is_counted():
    inner = tiny_network()
    image = tf_keras.Input((16, 16, 3))
    assert students.macs(tf_keras.Model(image, inner(image))) == students.macs(inner)


def test_images_are_timed_one_by_one_and_the_first_is_not_counted(monkeypatch):
    seen, clock = [], iter(range(1000))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert milliseconds(lambda images: seen.append(images.shape), IMAGES) == 1000
    assert seen == [(1, 16, 16, 3)] * (1 + TIMED_IMAGES)
