import json
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from firmware_export.common.errors import UserError
from keras_satkd.camera import sensor
from keras_satkd.data.corruptions import CORRUPTIONS, SEVERITIES
from keras_satkd.evaluation import risk, scoring
from keras_satkd.evaluation.classifier import Classifier
from keras_satkd.pgd import Attack

COLORS = ("Blue", "Green", "Red")
SIZE = 16


def by_color(class_names: tuple[str, ...] | None = ("Red", "Green", "Blue")) -> Classifier:
    """Says which channel is brightest: right for the classes of `image_set`."""
    return Classifier("by_color.keras", SIZE, 3, class_names, lambda images: images.mean(axis=(1, 2), dtype=np.float32))


def test_scores_of_a_model_that_is_right(image_set):
    images = image_set(30)
    result = scoring.evaluate(by_color(), images.images, images.labels)
    assert result["images"] == 30
    for name in ("accuracy", "macro_precision", "macro_recall", "macro_f1", "weighted_f1"):
        assert result[name] == 1.0
    assert result["ece"] < 1e-3
    all_right = {"precision": 1.0, "recall": 1.0, "images": 10}
    assert result["per_class"] == dict.fromkeys(("Red", "Green", "Blue"), all_right)
    assert "corruptions" not in result
    assert json.loads(json.dumps(result)) == result


def test_classes_that_the_data_lack_do_not_drag_the_means(image_set):
    images = image_set(30)
    kept = images.labels != 2
    labels = images.labels[kept].copy()
    pixels = images.images[kept].copy()
    # One red image of ten is taken for blue, of which there is none.
    pixels[0] = pixels[0][..., ::-1]
    result = scoring.evaluate(by_color(), pixels, labels)
    green = {"precision": 1.0, "recall": 1.0, "images": 10}
    assert result["per_class"] == {"Red": green | {"recall": 0.9}, "Green": green}
    assert result["macro_recall"] == pytest.approx(0.95)
    assert result["macro_precision"] == 1.0
    assert result["macro_f1"] == pytest.approx((2 * 0.9 / 1.9 + 1) / 2)


def test_precision_and_recall_of_each_class(image_set):
    images = image_set(30)
    pixels = images.images.copy()
    first_green = np.flatnonzero(images.labels == 1)[0]
    pixels[first_green] = pixels[first_green][..., [1, 0, 2]]
    red, green, blue = scoring.evaluate(by_color(), pixels, images.labels)["per_class"].values()
    assert (red["precision"], red["recall"]) == (pytest.approx(10 / 11), 1.0)
    assert (green["precision"], green["recall"]) == (1.0, 0.9)
    assert (blue["precision"], blue["recall"]) == (1.0, 1.0)


def test_corrupted_images_are_scored(image_set):
    images = image_set(12)
    result = scoring.evaluate(by_color(None), images.images, images.labels, corruptions=True)
    assert list(result["per_class"]) == ["0", "1", "2"]
    assert result["corruptions"].keys() == CORRUPTIONS.keys()
    assert result["corruption_severities"] == {name: list(strengths) for name, strengths in SEVERITIES.items()}
    for name, accuracies in result["corruptions"].items():
        disturbed = [CORRUPTIONS[name](images.images, severity) for severity in range(1, 6)]
        assert accuracies == [np.mean(by_color().logits(seen).argmax(axis=1) == images.labels) for seen in disturbed]
    assert json.loads(json.dumps(result)) == result


def test_labels_are_mapped_by_name():
    labels = np.array([0, 1, 1, 0], np.int32)
    mapped = scoring.model_labels(labels, ("Blue", "Red"), by_color())
    np.testing.assert_array_equal(mapped, [2, 0, 0, 2])
    everything = scoring.model_labels(np.arange(3), COLORS, by_color())
    np.testing.assert_array_equal(everything, [2, 1, 0])
    np.testing.assert_array_equal(scoring.model_labels(np.arange(3), COLORS, by_color(None)), [0, 1, 2])


def test_classes_that_the_model_does_not_know():
    with pytest.raises(UserError, match=r"unknown class in --data 'blue': did you mean 'Blue'\?"):
        scoring.model_labels(np.arange(2), ("Red", "blue"), by_color())
    with pytest.raises(UserError, match=r"has 3 classes, the data has 2: .*by_color\.json"):
        scoring.model_labels(np.arange(2), ("Blue", "Red"), by_color(None))


def test_risk_behind_sensors(image_set):
    images = image_set(12)
    poor = sensor.load("poor")
    result = scoring.evaluate(by_color(), images.images, images.labels, sensor=poor)
    assert [curve["sensor"] for curve in result["risk"]["curves"]] == [None, "poor"]
    assert "threshold" not in result["risk"]
    codes = np.arange(36, dtype=np.int8).reshape(12, 3)
    int8 = replace(by_color(), codes=lambda _images: codes, threshold=1)
    result = scoring.evaluate(int8, images.images, images.labels, sensor=poor)
    assert result["risk"] == risk.curves(lambda _images: codes, images.images, images.labels, [poor], 1)


def test_accuracy_after_an_attack(image_set):
    """Classes lie about 120 levels apart: an attack of 100 exchanges them, one of 4 does not."""

    def brightest(images):
        return tf.reduce_mean(tf.cast(images, tf.float32), axis=(1, 2)) / 255

    images, model = image_set(30), replace(by_color(), differentiable=brightest)
    accuracies = {}
    for epsilon in (4.0, 100.0):
        attack = Attack(epsilon, 20, epsilon / 8)
        found = scoring.evaluate(model, images.images, images.labels, attack=attack)["pgd"]
        accuracies[epsilon] = found.pop("accuracy")
        assert found == {"epsilon": epsilon, "steps": 20, "step_size": epsilon / 8}
    assert accuracies == {4.0: 1.0, 100.0: 0.0}
