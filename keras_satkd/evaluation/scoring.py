"""Scoring of a model on labeled images."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from firmware_export.common import on_disk
from firmware_export.common.errors import UserError, unknown_name
from keras_satkd.camera.sensor import Sensor, examples
from keras_satkd.data.corruptions import SEVERITIES, accuracies
from keras_satkd.evaluation import camera, risk
from keras_satkd.evaluation.classifier import Classifier
from keras_satkd.evaluation.metrics import score
from keras_satkd.pgd import Attack, robust_accuracy


def model_labels(labels: np.ndarray, class_names: tuple[str, ...], classifier: Classifier) -> np.ndarray:
    """The labels of images in the model's order of classes.

    Args:
        labels: int [N], positions in `class_names`.
        class_names: classes of the data. If the model has class names, these may be a subset of them in any order.
        classifier: the model. If it has no class names, it is assumed to have the classes of the data, in that order.

    Returns:
        int [N], positions among the model's logits.

    Raises:
        UserError: the data has a class that the model does not have, or another number of classes.
    """
    classifier.check_outputs()
    if classifier.class_names is None:
        if len(class_names) != classifier.classes:
            raise UserError(
                f"model {classifier.name} has {classifier.classes} classes, the data has {len(class_names)}: "
                f"give other data, or list the model's class_names in {Path(classifier.name).stem}.json beside it"
            )
        return labels
    if all(name.isdecimal() for name in class_names) and not any(map(str.isdecimal, classifier.class_names)):
        raise UserError(
            f"the classes in --data are numbers ({', '.join(class_names[:3])}, …), those of the model are names "
            f"({', '.join(classifier.class_names[:3])}, …): name them, as with class_names in a .npz"
        )
    for name in class_names:
        if name not in classifier.class_names:
            raise unknown_name("class in --data", name, classifier.class_names)
    mapped: np.ndarray = np.array([classifier.class_names.index(name) for name in class_names], np.int32)[labels]
    return mapped


def evaluate(
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    corruptions: bool = False,
    camera_suite: bool = False,
    sensor: Sensor | None = None,
    attack: Attack | None = None,
) -> dict[str, Any]:
    """A model's scores, each in [0, 1], as plain values for JSON.

    Args:
        classifier: the model; if it has no class names, positions are used.
        images: uint8 [N, S, S, 3], S the classifier's `image_size`, N ≥ 1.
        labels: int [N], positions among the model's logits.
        corruptions: also score corrupted images.
        camera_suite: also score the images under every disturbance of a camera.
        sensor: also score the images as this sensor captures them.
        attack: also score the images after this attack on the model, which must be `differentiable`.

    Returns:
        `images` (N), the scores of `metrics.score`, and `per_class` (precision, recall and number of images of every
        class in `labels`, by name). With `corruptions`, also the accuracy at severities 1..5 of every corruption, by
        name, and in `corruption_severities` their strengths (`corruptions.SEVERITIES`). With `attack`, also in `pgd`
        its numbers and the `accuracy` after it. With `camera_suite`, also the result of `camera.suite` in `camera`;
        with `sensor`, that of `camera.behind` in `behind`; with either of them, that of `risk.curves` in `risk`: for
        `camera_suite` with the example sensors, for `sensor` with the sensor.
    """
    logits = classifier.logits(images)
    present = np.unique(labels)
    precisions, recalls, _, counts = precision_recall_fscore_support(
        labels, logits.argmax(axis=1), labels=present, average=None, zero_division=0.0
    )
    names = classifier.class_names or [str(position) for position in range(classifier.classes)]
    per_class = {
        names[label]: {"precision": float(precision), "recall": float(recall), "images": int(count)}
        for label, precision, recall, count in zip(present, precisions, recalls, counts, strict=True)
    }
    result = {"images": len(images), **score(logits, labels), "per_class": per_class}
    if corruptions or camera_suite or sensor is not None:
        chosen = on_disk.evenly(images, "scores under disturbances")
        images, labels = images[chosen], labels[chosen]
    if corruptions:
        model = {classifier.name: classifier.logits}
        result["corruptions"] = accuracies(model, images, labels)[classifier.name]
        result["corruption_severities"] = {name: list(strengths) for name, strengths in SEVERITIES.items()}
    if attack is not None:
        assert classifier.differentiable is not None
        accuracy = robust_accuracy(classifier.differentiable, images, labels, attack)
        result["pgd"] = {**dataclasses.asdict(attack), "accuracy": accuracy}
    if camera_suite:
        result["camera"] = camera.suite(classifier.logits, images, labels)
    if sensor is not None:
        result["behind"] = camera.behind(sensor, classifier.logits, images, labels)
    sensors = [example for example in examples(images.shape[-1]) if camera_suite and example != sensor]
    sensors += [] if sensor is None else [sensor]
    if sensors:
        outputs_of = classifier.codes or classifier.logits
        result["risk"] = risk.curves(outputs_of, images, labels, sensors, classifier.threshold)
    return result
