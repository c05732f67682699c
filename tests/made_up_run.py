"""A simulated finished run: random numbers in the files that a real run writes."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from firmware_export.board import fitting
from firmware_export.board.targets import TARGETS
from firmware_export.common.files import write_json, write_text
from firmware_export.images.image_set import ImageSet
from firmware_export.verify import abstention
from keras_satkd.camera.sensor import load as load_sensor
from keras_satkd.camera.suite import KINDS
from keras_satkd.config_io import from_dict, load, to_dict
from keras_satkd.data.corruptions import CORRUPTIONS
from keras_satkd.evaluation import guidance, precision_recall, predictions, risk
from keras_satkd.models.pretrained import EUROSAT_CLASSES
from keras_satkd.report import summary
from keras_satkd.run import history, stages
from keras_satkd.run.artifacts import SENSOR_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.results import (
    DataResult,
    DistillationResult,
    FirmwareResult,
    Int8Result,
    QuantizationResult,
    StepResult,
    TeacherResult,
    TestResult,
)
from keras_satkd.run.stages import Step
from keras_satkd.weighting import PAPER_CASES

TEACHERS = ("efficientvit_m2", "mobilevitv2_100")
EPOCHS = {f"teacher-{TEACHERS[0]}@96": 8, f"teacher-{TEACHERS[1]}@64": 11, "distillation": 30, "quantization": 3}
IMAGES, SIZE = 400, 32


def finished(
    workdir: Path,
    *,
    class_names: tuple[str, ...] = EUROSAT_CLASSES,
    teachers: tuple[str, ...] = TEACHERS,
    sensor: str = "poor",
) -> Run:
    """A run with all files but the report."""
    random = np.random.default_rng(0)
    values = to_dict(load("eurosat"))
    values["data"]["source"] = "pictures/EuroSAT_RGB.zip"
    values["camera"]["sensor"] = sensor
    values["distillation"]["weighting"]["rule"] = "paper-sample" if len(teachers) == 2 else "confidence"
    run = Run(workdir, from_dict(values, "test"))
    run.claim()
    write_text(run.path(SENSOR_FILE), load_sensor(sensor).to_toml())
    history.write(run.path(history.FILE), _epochs(random, teachers))
    test, logits = _test_images(random, class_names), {}
    for name in (*(f"teacher {teacher}" for teacher in teachers), *summary.MODELS):
        logits[name] = random.normal(0, 1, (IMAGES, len(class_names))).astype(np.float32)
        logits[name][np.arange(IMAGES), test.labels] += random.choice([4, -2], IMAGES, p=[0.95, 0.05])
    found = predictions.collect(logits, test, "int8")
    found.save(run.path(predictions.FILE))
    codes = np.clip(np.round(8 * logits["int8"]), -128, 127).astype(np.int8)
    exported = _export(codes, test.labels)
    write_json(run.path("firmware", "export.json"), exported)
    risks = _risks(random, codes, test.labels, exported["unsure"]["least_margin"])
    for step, result in _results(found, class_names, teachers, risks).items():
        run.step(step, lambda result=result: result)
    return run


def _epochs(random: np.random.Generator, teachers: tuple[str, ...]) -> list[dict[str, str]]:
    rows = []
    for phase, epochs in EPOCHS.items():
        for epoch in range(1, epochs + 1):
            accuracy = 1 - 0.6 * np.exp(-epoch / 4) - random.uniform(0, 0.03)
            row = {"phase": phase, "epoch": epoch, "accuracy": accuracy - 0.05, "val_accuracy": accuracy}
            if phase in ("distillation", "quantization"):
                row |= _shares(random, "weight_", teachers)
                row |= _shares(random, "case_", PAPER_CASES) if len(teachers) == 2 else {}
            rows.append({name: str(value) for name, value in row.items()})
    return rows


def _shares(random: np.random.Generator, prefix: str, names: tuple[str, ...]) -> dict[str, float]:
    shares = random.dirichlet(20 * np.arange(1, len(names) + 1)) if names else []
    return dict(zip((prefix + name for name in names), shares, strict=True))


def _test_images(random: np.random.Generator, class_names: tuple[str, ...]) -> ImageSet:
    labels = random.integers(0, len(class_names), IMAGES).astype(np.int32)
    # Each image has its own tint and some texture, so that an empty picture in a report is noticed.
    images = random.integers(0, 200, (IMAGES, 1, 1, 3)) + random.integers(0, 56, (IMAGES, SIZE, SIZE, 3))
    files = tuple(f"{class_names[label]}/{position}.jpg" for position, label in enumerate(labels))
    return ImageSet(images.astype(np.uint8), labels, files, class_names)


def _results(
    found: predictions.Predictions, class_names: tuple[str, ...], teachers: tuple[str, ...], risks: dict
) -> dict[Step, StepResult]:
    confusion = np.zeros((len(class_names),) * 2, int)
    np.add.at(confusion, (found.labels, found.of("int8")[0]), 1)
    kinds = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "ece")
    scores = {name: {kind: 0.9 + 0.001 * at for kind in kinds} for at, name in enumerate(found.models)}
    fading = {name: [0.95 - 0.1 * severity for severity in range(1, 6)] for name in CORRUPTIONS}
    cost = {"parameters": 98_522, "macs": 58_393_216, "bytes": 394_088, "milliseconds": 1.25}
    costs = {**{name: cost for name in found.models if name not in ("ptq", "qat", "int8")}, "int8": cost}
    return {
        stages.DATA: DataResult(list(class_names), 17_010, 2_430, IMAGES, "5" * 64, "2 x some processor, avx512_bf16"),
        **{stages.teacher(name): TeacherResult() for name in teachers},
        stages.DISTILLATION: DistillationResult("student.keras", 98_522, 58_393_216),
        stages.QUANTIZATION: QuantizationResult("student_qat.h5"),
        stages.INT8: Int8Result("student_int8.tflite", 116_664),
        stages.FIRMWARE: FirmwareResult("firmware", 116_664, 215_840),
        stages.TEST: TestResult(
            scores,
            confusion.tolist(),
            {"images": 200, "float": {"clean": 0.96, **fading}, "int8": {"clean": 0.95, **fading}},
            costs,
            {"images": 200, "float": _camera(), "int8": _camera()},
            risks,
            _drift(),
            _precision_recall(confusion, class_names),
            _guidance(found, teachers) if teachers else None,
        ),
    }


def _guidance(found: predictions.Predictions, teachers: tuple[str, ...]) -> dict:
    predicted, confidence = found.of("int8")
    outputs = np.where(np.arange(2) == 0, 100 * confidence[:, None], 0)  # margins as sure as the student is
    is_right = predicted == found.labels
    known = {name: found.of(f"teacher {name}")[0] == found.labels for name in teachers}
    return guidance.curves(outputs, np.where(is_right, 0, 1), known, threshold=40)


def _precision_recall(confusion: np.ndarray, class_names: tuple[str, ...]) -> dict | None:
    if len(class_names) != 2:
        return None
    labels = np.repeat([0, 0, 1, 1], confusion.ravel())
    codes = np.repeat(np.array([[9, 0], [0, 9], [9, 0], [0, 9]], np.int8), confusion.ravel(), axis=0)
    return precision_recall.evaluate(lambda given: given, (codes, labels), (codes, labels), class_names, 1)


def _camera() -> dict:
    fading = [0.98, 0.9, 0.8, 0.6, 0.4, 0.2]
    return {
        "clean": 0.95,
        "kinds": {
            name: {
                "group": kind.group,
                "unit": kind.unit,
                "severities": list(kind.severities),
                "accuracy": fading[: len(kind.severities)],
                "mean": 0.7,
            }
            for name, kind in KINDS.items()
        },
        "mean": 0.71,
        "mean_trained": 0.72,
        "mean_held_out": 0.66,
        "behind": {"sensor": "poor", "clean": 0.95, "all": 0.55, "parts": {"snr": 0.8}},
    }


def _risks(random: np.random.Generator, codes: np.ndarray, labels: np.ndarray, threshold: int) -> dict:
    noisy = np.clip(codes + random.normal(0, 15, codes.shape), -128, 127).astype(np.int8)
    outputs = iter([codes, noisy])
    return risk.curves(lambda _images: next(outputs), np.zeros((0, 8, 8, 3)), labels, [load_sensor("poor")], threshold)


def _drift() -> dict:
    growing = [0.02, 0.4, 0.9, 1.0, 1.0, 1.0]
    return {
        "window": 32,
        "false_alarm_rate": 0.01,
        "validation_images": 300,
        "images": 200,
        "disturbed_images": 100,
        "accuracy": 0.95,
        "false_alarms": {"mixed": 0.004, "one_class": 0.008, "worst_class": 0.02},
        "kinds": {
            name: {
                "unit": kind.unit,
                "severities": list(kind.severities),
                "accuracy": [0.9] * len(kind.severities),
                "mixed": growing[: len(kind.severities)],
                "one_class": growing[: len(kind.severities)],
                "told_by": ["texture"] * len(kind.severities),
            }
            for name, kind in KINDS.items()
        },
        "detected": {"costly": {"mixed": 0.97, "one_class": 0.93}},
    }


def _export(codes: np.ndarray, labels: np.ndarray) -> dict:
    chosen = abstention.choose(codes, labels, error_rate=0.05, kernel_difference=2)
    rows = zip(*(column.tolist() for column in vars(chosen.curve).values()), strict=True)
    tflm = fitting.TflmNeeds(constants_bytes=116_664, code_bytes=60_000, arena_bytes=215_840)
    parts = fitting.table(tflm, rows=None, asked_for=TARGETS["samv71"])
    return {
        "command": "python -m firmware_export student_int8.tflite --out firmware",
        "sha256": "a" * 64,
        "flash_bytes": 116_664,
        "arena_bytes": 203_136,
        "arena_bytes_with_margin": 215_840,
        "arena_margin_rule": "one sixteenth",
        "macs": 58_393_216,
        "unsure": {
            "least_margin": chosen.threshold,
            "reason": chosen.reason,
            "error_rate": chosen.error_rate,
            "confidence": abstention.CONFIDENCE,
            "images": chosen.images,
            "accuracy": chosen.accuracy,
            "curve": [dict(zip(("margin", "coverage", "risk", "risk_bound"), row, strict=True)) for row in rows],
        },
        "drift": {"reason": "The drift monitor compares every 32 images with 300 validation images."},
        "targets": [asdict(part) for part in parts],
    }
