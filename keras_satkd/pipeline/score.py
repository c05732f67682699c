"""Evaluation on the test images: once, after all choices are made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from firmware_export.images.image_set import ImageSet
from firmware_export.tflite.interpreters import predict_int8
from firmware_export.tflite.model import Model
from firmware_export.tflite.reader import read
from keras_satkd import pgd
from keras_satkd.camera.sensor import captured, examples
from keras_satkd.data import corruptions
from keras_satkd.data.splits import Split
from keras_satkd.evaluation import camera, drift, guidance, precision_recall, predictions, risk
from keras_satkd.evaluation.classifier import int8_logits
from keras_satkd.evaluation.costs import int8_cost, network_cost
from keras_satkd.evaluation.metrics import predict, score
from keras_satkd.evaluation.model_facts import abstention_threshold
from keras_satkd.models import students
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.models.teacher import AnyTeacher
from keras_satkd.pipeline import rounds
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run.artifacts import INT8_FILE, POST_TRAINING_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.results import TestResult
from keras_satkd.run.stages import teacher_model
from keras_satkd.settings.firmware_config import FirmwareConfig
from keras_satkd.settings.method_config import AdversarialConfig

CORRUPTED_IMAGES = 1000
"""Number of test images that are corrupted: the first ones; their order is random."""


def score_models(
    run: Run, inputs: Inputs, student: tf_keras.Model, quantized: tf_keras.Model | None, teachers: Sequence[AnyTeacher]
) -> TestResult:
    """Test scores of every model of the run; the int8 model's confusion matrix; accuracy under corruptions; costs.

    The predictions of all models are written to `predictions.FILE` in the run's folder.
    """
    test = inputs.split.test
    images, labels = test.images, test.labels
    post_training, int8 = run.path(POST_TRAINING_FILE).read_bytes(), run.path(INT8_FILE).read_bytes()
    exported = read(int8)
    networks: dict[str, tuple[Any, Callable[[Any], Any]]] = {}
    models: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
    for teacher in teachers:
        name = teacher_model(teacher.name)
        if isinstance(teacher, StoredLogits):
            models[name] = partial(_stored, teacher.of(test.files)[:, 0])
        else:
            networks[name] = teacher.network, tf.function(teacher.logits)
            models[name] = _predictor(name, networks[name][1])
    for name, network in {**rounds.earlier_students(run), "float": student}.items():
        networks[name] = network, students.logits_of(network)
        models[name] = _predictor(name, networks[name][1])
    models["ptq"] = lambda images: int8_logits(post_training, images)
    if quantized is not None:
        models["qat"] = _predictor("qat", students.logits_of(quantized))
    models["int8"] = lambda images: int8_logits(int8, images)

    logits = {name: logits_of(images) for name, logits_of in models.items()}
    found = predictions.collect(logits, test, examples_of="int8", rgb=inputs.rgb)
    found.save(run.path(predictions.FILE))
    confusion = np.zeros((len(test.class_names),) * 2, int)
    np.add.at(confusion, (labels, found.of("int8")[0]), 1)
    chosen, true = images[:CORRUPTED_IMAGES], labels[:CORRUPTED_IMAGES]
    corrupted = corruptions.accuracies({name: models[name] for name in ("float", "int8")}, chosen, true)
    some = _some(inputs.split)
    clean = {name: float(np.mean(logits[name][: len(true)].argmax(axis=1) == true)) for name in corrupted}
    return TestResult(
        scores={name: score(values, labels) for name, values in logits.items()},
        confusion=confusion.tolist(),
        corruptions={
            "images": len(true),
            **{name: {"clean": clean[name], **accuracies} for name, accuracies in corrupted.items()},
        },
        cost={
            **{name: network_cost(network, logits_of, images) for name, (network, logits_of) in networks.items()},
            "int8": int8_cost(int8, images),
        },
        camera=_behind_camera(inputs, models, chosen, true),
        risk=_risk(run, inputs, exported, some.test),
        drift=_drift(run.config.firmware, inputs, exported, some),
        precision_recall=_precision_recall(inputs, exported, some),
        guidance=_guidance(
            run, inputs, exported, {teacher.name: logits[teacher_model(teacher.name)] for teacher in teachers}
        ),
        pgd=_under_attack(run.config.distillation.adversarial, student, chosen, true),
    )


def _under_attack(
    settings: AdversarialConfig, student: tf_keras.Model, images: np.ndarray, labels: np.ndarray
) -> dict[str, Any] | None:
    """Accuracy of the float student after PGD of more steps than in training; None without adversarial training."""
    if not settings.epsilon:
        return None
    attack = pgd.attack_of(settings.epsilon, pgd.EVALUATION_STEPS)
    logits = students.logits_of(student)
    return {
        "images": len(labels),
        **asdict(attack),
        "clean": float(np.mean(predict(logits, images, "float").argmax(axis=1) == labels)),
        "accuracy": pgd.robust_accuracy(logits, images, labels, attack),
    }


def _some(split: Split) -> Split:
    """The split with as many validation and test images as fit in memory, if they are on disk."""
    parts = {part: getattr(split, part).evenly(f"risk, drift, precision ({part})") for part in ("validation", "test")}
    return replace(split, **parts)


def _behind_camera(
    inputs: Inputs, models: Mapping[str, Callable[[np.ndarray], np.ndarray]], images: np.ndarray, labels: np.ndarray
) -> dict[str, Any] | None:
    if inputs.camera is None:
        return None
    found: dict[str, Any] = {"images": len(labels)}
    for model in ("float", "int8"):
        found[model] = camera.suite(models[model], images, labels)
        if inputs.sensor is not None:
            found[model]["behind"] = camera.behind(inputs.sensor, models[model], images, labels)
    return found


def _risk(run: Run, inputs: Inputs, exported: Model, test: ImageSet) -> dict[str, Any]:
    """Risk against coverage of the int8 model behind the run's sensor, or behind the examples with `any`."""
    bands = test.images.shape[-1]
    sensors = [inputs.sensor] if inputs.sensor is not None else [] if inputs.camera is None else examples(bands)
    threshold = abstention_threshold(run.path(INT8_FILE))
    return risk.curves(partial(predict_int8, exported), test.images, test.labels, sensors, threshold)


def _guidance(run: Run, inputs: Inputs, exported: Model, teachers: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """The int8 model with each teacher on the ground, for test images as they are; None without teachers.

    Args:
        run: its folder has the abstention threshold.
        inputs: the test images.
        exported: the int8 model.
        teachers: logits for the test images, by name.
    """
    test, threshold = inputs.split.test, abstention_threshold(run.path(INT8_FILE))
    if not teachers:
        return None
    is_known = {name: logits.argmax(axis=1) == test.labels for name, logits in teachers.items()}
    return guidance.curves(predict_int8(exported, test.images), test.labels, is_known, threshold)


def _drift(settings: FirmwareConfig, inputs: Inputs, exported: Model, some: Split) -> dict[str, Any] | None:
    """False alarms and detections of the drift monitor behind the run's camera; None if there is none."""
    if inputs.camera is None:
        return None
    validation, test = some.validation, some.test
    reference, images = (captured(inputs.camera, inputs.sensor, part.images) for part in (validation, test))
    monitor = drift.monitor_of(exported, reference, validation.labels, settings.drift_window, settings.false_alarm_rate)
    if drift.obstacle(monitor, test.labels) is not None:
        return None
    return drift.evaluate(monitor, exported, images, test.labels)


def _precision_recall(inputs: Inputs, exported: Model, some: Split) -> dict[str, Any] | None:
    """Precision and recall of the rarer of two classes behind the run's camera; None if there are not two classes."""
    class_names = inputs.split.train.class_names
    if len(class_names) != 2:
        return None
    validation, test = (
        (captured(inputs.camera, inputs.sensor, part.images), part.labels) for part in (some.validation, some.test)
    )
    rarer = int(np.argmin(np.bincount(inputs.split.train.labels, minlength=2)))
    return precision_recall.evaluate(partial(predict_int8, exported), validation, test, class_names, rarer)


def _predictor(name: str, logits_of: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: predict(logits_of, images, name)


def _stored(logits: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Stored logits of all test images."""
    assert len(logits) == len(images)
    return logits
