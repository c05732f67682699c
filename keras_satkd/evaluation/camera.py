"""Accuracy of a model under every disturbance of a camera, and behind a sensor."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from keras_satkd.camera.sensor import Sensor
from keras_satkd.camera.suite import GROUPS, HELD_OUT, KINDS, Kind, for_bands

LogitsOf = Callable[[np.ndarray], np.ndarray]


def suite(
    logits_of: LogitsOf, images: np.ndarray, labels: np.ndarray, kinds: Mapping[str, Kind] = KINDS
) -> dict[str, Any]:
    """Accuracies in [0, 1] at every severity, as plain values for JSON.

    Args:
        logits_of: uint8 [N, H, W, 3] → [N, C].
        images: uint8 [N, H, W, 3], N ≥ 1.
        labels: int [N].
        kinds: the disturbances, by name; those that need more bands are left out.

    Returns:
        `clean`: accuracy without a disturbance. `kinds`: by name, the `group`, `unit`, `severities`, the `accuracy` at
        each severity and their `mean`. `groups`: by name, the mean over its kinds. `mean`: over all kinds;
        `mean_held_out`: over the kinds that training never uses; `mean_trained`: over the other kinds. Means over no
        kinds are left out.
    """
    found = {}
    for name, kind in tqdm(for_bands(kinds, images.shape[-1]).items(), desc="camera", disable=None):
        accuracies = [_accuracy(logits_of, kind.apply(images, severity), labels) for severity in kind.severities]
        found[name] = {
            "group": kind.group,
            "unit": kind.unit,
            "severities": list(kind.severities),
            "accuracy": accuracies,
            "mean": float(np.mean(accuracies)),
        }
    means = {
        "mean": _mean(found, GROUPS),
        "mean_trained": _mean(found, [group for group in GROUPS if group not in HELD_OUT]),
        "mean_held_out": _mean(found, HELD_OUT),
    }
    groups = {group: _mean(found, [group]) for group in GROUPS}
    return {
        "clean": _accuracy(logits_of, images, labels),
        "kinds": found,
        "groups": {group: mean for group, mean in groups.items() if mean is not None},
        **{name: mean for name, mean in means.items() if mean is not None},
    }


def behind(sensor: Sensor, logits_of: LogitsOf, images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Accuracies in [0, 1] of a model on the images that a sensor captures, with the sensor's values.

    Args:
        sensor: the sensor.
        logits_of: uint8 [N, H, W, 3] → [N, C].
        images: uint8 [N, H, W, 3], N ≥ 1.
        labels: int [N].

    Returns:
        `sensor`: its name. `clean`: accuracy without the sensor; `all`: with all its disturbances; `parts`: by name,
        with one disturbance alone.

    Raises:
        UserError: the sensor has another number of bands than the images.
    """
    return {
        "sensor": sensor.name,
        "clean": _accuracy(logits_of, images, labels),
        "all": _accuracy(logits_of, sensor.capture(images), labels),
        "parts": {name: _accuracy(logits_of, sensor.capture(images, only=name), labels) for name, _ in sensor.parts()},
    }


def table(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table in percent, from the result of `suite`."""
    columns = max(len(kind["severities"]) for kind in found["kinds"].values())

    def row(name: str, accuracies: list[float], mean: float) -> list[str]:
        cells = [f"{100 * share:.1f}" for share in accuracies]
        return [name, *cells, *[""] * (columns - len(cells)), f"{100 * mean:.1f}"]

    rows = [row("clean", [], found["clean"])]
    for kind in found["kinds"].values():
        severities = ", ".join(f"{severity:g}" for severity in kind["severities"])
        rows.append(row(f"{kind['unit']}: {severities}", kind["accuracy"], kind["mean"]))
    means = {
        "mean": "all kinds",
        "mean_trained": "kinds in training",
        "mean_held_out": "never in training",
    }
    rows += [row(name, [], found[mean]) for mean, name in means.items() if mean in found]
    return ["accuracy %, from healthy to poor", *map(str, range(1, columns + 1)), "mean"], rows


def _accuracy(logits_of: LogitsOf, images: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(logits_of(images).argmax(axis=1) == labels))


def _mean(found: Mapping[str, Any], groups: Any) -> float | None:
    means = [kind["mean"] for kind in found.values() if kind["group"] in groups]
    return float(np.mean(means)) if means else None
