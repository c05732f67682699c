"""How well the drift monitor works: false alarms on clean images, and detection of every disturbance of a camera."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from firmware_export.drift import statistics
from firmware_export.drift.monitor import Drift, Monitor, choose
from firmware_export.tflite import interpreters
from firmware_export.tflite.model import Model
from keras_satkd.camera.suite import KINDS, Kind, for_bands

WINDOWS = 10_000
"""Number of windows of clean images that are drawn, mixed and of one class each."""

DISTURBED_WINDOWS = 1000
"""The same, of images disturbed with one severity."""

DISTURBED_IMAGES = 1000
"""Largest number of images that are disturbed: the first ones; their order is random."""

COSTLY = 0.01
"""Loss of accuracy from which a disturbance should be detected: 1 point."""


def _dead_band(images: np.ndarray, bands: np.ndarray, _seeds: np.ndarray) -> np.ndarray:
    disturbed = images.copy()
    disturbed[np.arange(len(images)), :, :, bands.astype(int)] = 0
    return disturbed


def kinds_of(bands: int) -> dict[str, Kind]:
    """The camera's kinds, and wrong bands, for images of so many bands."""
    reversed_bands = Kind(
        "detector", "bands in reverse order", (1,), lambda images, *_: images[..., ::-1], least_bands=2
    )
    dead_band = Kind("detector", "dead band", tuple(range(bands)), _dead_band)
    return for_bands({**KINDS, "reversed_bands": reversed_bands, "dead_band": dead_band}, bands)


def monitor_of(model: Model, validation: np.ndarray, labels: np.ndarray, window: int, rate: float) -> Drift:
    """The monitor that the export would write.

    Args:
        model: int8.
        validation: uint8 [N, H, W, 3].
        labels: int [N].
        window: number of images after which the monitor decides.
        rate: highest rate of false alarms per window.
    """
    return choose(_fed(model, validation), interpreters.predict_int8(model, validation), labels, window, rate)


def obstacle(drift: Drift, labels: np.ndarray) -> str | None:
    """Why the monitor cannot be evaluated on images with these labels; None if it can."""
    if drift.monitor is None:
        return drift.reason
    if np.bincount(labels[:DISTURBED_IMAGES]).max() < drift.monitor.window:
        return f"No class has {drift.monitor.window} images, one window of the drift monitor."
    return None


def evaluate(
    drift: Drift, model: Model, images: np.ndarray, labels: np.ndarray, kinds: Mapping[str, Kind] | None = None
) -> dict[str, Any]:
    """Shares in [0, 1] of the windows that raise an alarm, in plain values that JSON can hold.

    Args:
        drift: with a monitor, and no `obstacle`.
        model: int8, that of the monitor.
        images: uint8 [N, H, W, 3] in random order, none of those from which the monitor was made.
        labels: int [N].
        kinds: what to disturb the images with, by name; by default `kinds_of` their bands.

    Returns:
        `window`; `false_alarm_rate` (the stated one), `validation_images`, `images` (N), `disturbed_images`;
        `accuracy` of the latter without a disturbance; `false_alarms` on the images as they are: `mixed`, for windows
        of all classes, `one_class`, the mean over windows of one class, and `worst_class`; `kinds`: for each its
        `unit`, `severities`, and at each the `accuracy`, the detections `mixed` and `one_class`, and in `told_by` the
        statistic that is out of range most often; `detected`: mean detection, `mixed` and `one_class`, of the
        severities that cost at least `COSTLY` of accuracy (`costly`) and of the others (`harmless`).
    """
    monitor = drift.monitor
    assert monitor is not None
    residuals, right = _residuals(monitor, model, images, labels)
    clean = _alarms(monitor, residuals, *_windows(labels, monitor.window, WINDOWS))
    images, labels = images[:DISTURBED_IMAGES], labels[:DISTURBED_IMAGES]
    windows = _windows(labels, monitor.window, DISTURBED_WINDOWS)
    accuracy = float(right[: len(labels)].mean())
    found = {}
    kinds = kinds_of(images.shape[-1]) if kinds is None else kinds
    for name, kind in tqdm(kinds.items(), desc="drift", disable=None):
        severities = []
        for severity in kind.severities:
            disturbed, correct = _residuals(monitor, model, kind.apply(images, severity), labels)
            severities.append({"accuracy": float(correct.mean()), **_alarms(monitor, disturbed, *windows)})
        columns = ("accuracy", "mixed", "one_class", "told_by")
        found[name] = {
            "unit": kind.unit,
            "severities": list(kind.severities),
            **{column: [each[column] for each in severities] for column in columns},
        }
    return {
        "window": monitor.window,
        "false_alarm_rate": drift.false_alarm_rate,
        "validation_images": drift.images,
        "images": len(residuals),
        "disturbed_images": len(images),
        "accuracy": accuracy,
        "false_alarms": {name: clean[name] for name in ("mixed", "one_class", "worst_class")},
        "kinds": found,
        "detected": _means(found, accuracy),
    }


def table(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table in per cent, from the result of `evaluate`.

    The numbered columns are of mixed windows. Of windows of one class, there is the mean over the severities.
    """
    columns = max(len(kind["severities"]) for kind in found["kinds"].values())

    def row(name: str, mixed: Sequence[str], one_class: str, told_by: str = "") -> list[str]:
        return [name, *mixed, *[""] * (columns - len(mixed)), one_class, told_by]

    clean = found["false_alarms"]
    rows = [row("clean images: false alarms", [f"{100 * clean['mixed']:.1f}"], f"{100 * clean['one_class']:.1f}")]
    for kind in found["kinds"].values():
        severities = ", ".join(f"{severity:g}" for severity in kind["severities"])
        name = f"{kind['unit']}: {severities}" if len(kind["severities"]) > 1 else kind["unit"]
        rows.append(
            row(name, [*map(_percent, kind["mixed"])], _percent(np.mean(kind["one_class"])), kind["told_by"][-1])
        )
    for part, words in (("costly", "falls by 1 point or more"), ("harmless", "falls by less than 1 point")):
        if part in found["detected"]:
            mean = found["detected"][part]
            rows.append(row(f"mean where accuracy {words}", [_percent(mean["mixed"])], _percent(mean["one_class"])))
    return ["windows with an alarm, %", *map(str, range(1, columns + 1)), "one class", "told by"], rows


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"


def _fed(model: Model, images: np.ndarray) -> np.ndarray:
    return interpreters.firmware_input(interpreters.quantize_input(images, model.graph), model.graph)


def _residuals(monitor: Monitor, model: Model, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of every image the residuals, int16 [N, K], and whether its class is right, bool [N]."""
    outputs = interpreters.predict_int8(model, images).reshape(len(images), -1)
    classes = outputs.argmax(axis=1)
    residuals = monitor.reference.residuals(statistics.of(_fed(model, images), outputs), classes)
    return residuals, classes == labels


def _windows(labels: np.ndarray, window: int, count: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Positions of images, int [M, `window`]: of `count` mixed windows, and of each class with enough images.

    The images of a window are different ones. Otherwise windows of few images would vary more than those of the part.
    """
    random = np.random.default_rng(0)

    def drawn(members: np.ndarray, count: int) -> np.ndarray:
        return np.stack([random.choice(members, window, replace=False) for _ in range(count)])

    classes = [np.flatnonzero(labels == each) for each in np.unique(labels)]
    large = [members for members in classes if len(members) >= window]
    return drawn(np.arange(len(labels)), count), [drawn(members, max(1, count // len(large))) for members in large]


def _alarms(monitor: Monitor, residuals: np.ndarray, mixed: np.ndarray, of_class: list[np.ndarray]) -> dict[str, Any]:
    """Shares of windows with an alarm, and the statistic out of range most often."""
    out = monitor.out_of_range(residuals[mixed])
    shares = [float(monitor.out_of_range(residuals[windows]).any(axis=1).mean()) for windows in of_class]
    return {
        "mixed": float(out.any(axis=1).mean()),
        "one_class": float(np.mean(shares)),
        "worst_class": max(shares),
        "told_by": monitor.names[int(out.sum(axis=0).argmax())] if out.any() else "",
    }


def _means(found: Mapping[str, Any], clean: float) -> dict[str, dict[str, float]]:
    each = [
        (clean - accuracy, mixed, one_class)
        for kind in found.values()
        for accuracy, mixed, one_class in zip(kind["accuracy"], kind["mixed"], kind["one_class"], strict=True)
    ]
    parts = {
        "costly": [shares for loss, *shares in each if loss >= COSTLY],
        "harmless": [shares for loss, *shares in each if loss < COSTLY],
    }
    return {
        part: dict(zip(("mixed", "one_class"), np.mean(shares, axis=0).tolist(), strict=True))
        for part, shares in parts.items()
        if shares
    }
