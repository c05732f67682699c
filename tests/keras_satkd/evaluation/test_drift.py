"""False alarms and detections, on images that a model classifies by their brightness."""

import json

import numpy as np
import pytest
from tests_support import tiny_network

from firmware_export.tflite.convert import float_to_int8
from firmware_export.tflite.reader import read
from keras_satkd.camera.suite import KINDS
from keras_satkd.evaluation import drift

SIZE = 16
KINDS_HERE = {name: drift.kinds_of(3)[name] for name in ("gain", "dead_columns", "reversed_bands", "dead_band")}


def drawn(count, seed):
    """Images in which one band is the brightest, their class: uint8 [N, 16, 16, 3], int [N]."""
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=count)
    level = random.normal(60, 4, (count, 1, 1, 1)) + 60 * (np.arange(3) == labels[:, None])[:, None, None]
    return np.clip(level + random.normal(0, 3, (count, SIZE, SIZE, 3)), 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def model():
    """An int8 model that tells which band is the brightest."""
    network = tiny_network()
    kernel = np.zeros((3, 3, 3, 4), np.float32)
    kernel[1, 1, range(3), range(3)] = 1
    network.get_layer("convolution").set_weights([kernel, np.zeros(4)])
    network.get_layer("logits").set_weights([8 * np.eye(4, 3), np.zeros(3)])
    return read(float_to_int8(network, drawn(300, 0)[0]))


@pytest.fixture(scope="module")
def monitor(model):
    return drift.monitor_of(model, *drawn(900, 1), 16, 0.02)


@pytest.fixture(scope="module")
def found(model, monitor):
    images, labels = drawn(600, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drift, "WINDOWS", 2000)
        patch.setattr(drift, "DISTURBED_IMAGES", 500)
        return drift.evaluate(monitor, model, images, labels, KINDS_HERE)


def test_false_alarms_are_as_seldom_as_stated(found):
    assert (found["window"], found["false_alarm_rate"]) == (16, 0.02)
    assert (found["validation_images"], found["images"], found["disturbed_images"]) == (900, 600, 500)
    assert found["accuracy"] == 1
    assert found["false_alarms"]["mixed"] <= 0.02
    assert found["false_alarms"]["one_class"] <= 0.03
    assert found["false_alarms"]["worst_class"] >= found["false_alarms"]["one_class"]


def test_disturbances_are_detected(found):
    kinds = found["kinds"]
    assert set(kinds) == set(KINDS_HERE)
    assert kinds["gain"]["severities"] == [0.8, 0.9, 1.1, 1.2]
    assert kinds["gain"]["mixed"][0] == kinds["gain"]["one_class"][0] == 1
    assert kinds["dead_columns"]["told_by"] == ["direction"] * 4 or set(kinds["dead_columns"]["mixed"]) == {1.0}
    # A dead band is dark, and its class is never predicted.
    assert kinds["dead_band"]["mixed"] == [1, 1, 1]
    assert all(accuracy < 0.8 for accuracy in kinds["dead_band"]["accuracy"])
    json.dumps(found)


def test_means_are_of_costly_and_of_harmless_severities(found):
    each = [
        (found["accuracy"] - accuracy >= drift.COSTLY, mixed)
        for kind in found["kinds"].values()
        for accuracy, mixed in zip(kind["accuracy"], kind["mixed"], strict=True)
    ]
    for part, is_costly in (("costly", True), ("harmless", False)):
        assert found["detected"][part]["mixed"] == pytest.approx(
            np.mean([mixed for costly, mixed in each if costly is is_costly])
        )


def test_table(found):
    headings, rows = drift.table(found)
    assert headings == ["windows with an alarm, %", "1", "2", "3", "4", "one class", "told by"]
    assert {len(row) for row in rows} == {len(headings)}
    names = [row[0] for row in rows]
    assert names[0] == "clean images: false alarms"
    assert names[1:5] == [
        "common gain: 0.8, 0.9, 1.1, 1.2",
        "dead columns: 1, 2, 3, 5",
        "bands in reverse order",
        "dead band: 0, 1, 2",
    ]
    assert rows[4][1:5] == ["100", "100", "100", ""]


def test_wrong_bands_are_what_they_say():
    images = drawn(3, 5)[0]
    np.testing.assert_array_equal(drift.kinds_of(3)["reversed_bands"].apply(images, 1), images[..., ::-1])
    dead = drift.kinds_of(3)["dead_band"].apply(images, 2)
    assert not dead[..., 2].any()
    np.testing.assert_array_equal(dead[..., :2], images[..., :2])
    assert set(KINDS) < set(drift.kinds_of(3))


@pytest.mark.parametrize("bands", [1, 2, 13])
def test_kinds_for_any_number_of_bands(bands):
    images = np.random.default_rng(0).integers(1, 256, (2, SIZE, SIZE, bands), np.uint8)
    kinds = drift.kinds_of(bands)
    assert [int(kind) for kind in kinds["dead_band"].severities] == list(range(bands))
    for kind in kinds.values():
        assert kind.apply(images, kind.severities[-1]).shape == images.shape
    assert {"registration", "reversed_bands"} - kinds.keys() == (
        {"registration", "reversed_bands"} if bands == 1 else set()
    )


def test_obstacles(model, monitor):
    assert drift.obstacle(monitor, np.array([0, 1] * 16)) is None
    assert "No class has 16 images" in drift.obstacle(monitor, np.arange(15))
    none = drift.monitor_of(model, *drawn(20, 1), 16, 0.02)
    assert "20 validation images were given" in drift.obstacle(none, np.zeros(99, int))
