import json

import numpy as np
import pytest

from keras_satkd.camera import sensor
from keras_satkd.camera.suite import KINDS
from keras_satkd.evaluation import camera

LABELS = np.array([0, 1] * 8)
IMAGES = np.where(LABELS, 200, 60)[:, None, None, None].repeat(16, 1).repeat(16, 2).repeat(3, 3).astype(np.uint8)


def by_brightness(images: np.ndarray) -> np.ndarray:
    """Class 1 where the mean is above 131."""
    mean = images.mean(axis=(1, 2, 3))
    return np.stack([131 - mean, mean - 131], axis=1)


def test_accuracies_and_their_means():
    kinds = {name: KINDS[name] for name in ("gain", "offset", "haze")}
    found = camera.suite(by_brightness, IMAGES, LABELS, kinds)
    assert found["clean"] == 1
    assert found["kinds"]["gain"]["severities"] == [0.8, 0.9, 1.1, 1.2]
    assert found["kinds"]["gain"]["accuracy"] == [1, 1, 1, 1]
    # Haze makes dark images as bright as 60·t + 230·(1 − t): 68.5, 77, 94, 111, 128.
    assert found["kinds"]["haze"]["accuracy"] == [1] * 5
    assert found["groups"] == {"radiometry": 1, "atmosphere": 1}
    assert found["mean"] == found["mean_trained"] == found["mean_held_out"] == 1
    json.dumps(found)


def test_means_weigh_kinds_and_not_severities():
    def wrong_when_bright(images: np.ndarray) -> np.ndarray:
        return by_brightness(np.where(images.max() > 215, 0, images))

    kinds = {name: KINDS[name] for name in ("gain", "haze")}
    found = camera.suite(wrong_when_bright, IMAGES, LABELS, kinds)
    # 200 becomes 160, 180, 220, 240 by gain, and at most 212 by haze.
    assert found["kinds"]["gain"]["accuracy"] == [1, 1, 0.5, 0.5]
    assert found["mean"] == pytest.approx((0.75 + 1) / 2)
    assert (found["mean_trained"], found["mean_held_out"]) == (0.75, 1)


def test_means_of_no_kinds_are_left_out():
    found = camera.suite(by_brightness, IMAGES, LABELS, {"gain": KINDS["gain"]})
    assert "mean_held_out" not in found
    assert set(found["groups"]) == {"radiometry"}


def test_table_in_per_cent():
    found = camera.suite(by_brightness, IMAGES, LABELS, {"gain": KINDS["gain"]})
    headings, rows = camera.table(found)
    assert headings == ["accuracy %, from healthy to poor", "1", "2", "3", "4", "mean"]
    assert rows == [
        ["clean", "", "", "", "", "100.0"],
        ["common gain: 0.8, 0.9, 1.1, 1.2", "100.0", "100.0", "100.0", "100.0", "100.0"],
        ["all kinds", "", "", "", "", "100.0"],
        ["kinds in training", "", "", "", "", "100.0"],
    ]


def test_behind_a_sensor():
    found = camera.behind(sensor.load("poor"), by_brightness, IMAGES, LABELS)
    assert (found["sensor"], found["clean"], found["all"]) == ("poor", 1, 1)
    assert list(found["parts"]) == [name for name, _ in sensor.load("poor").parts()]
    json.dumps(found)
