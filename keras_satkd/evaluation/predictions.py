"""Stored predictions of a run's models on the test images, so that a report needs neither models nor images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from PIL import Image
from scipy.special import softmax

from firmware_export.common.errors import UserError
from firmware_export.common.files import write_with
from firmware_export.images.image_set import ImageSet
from keras_satkd.run.artifacts import PREDICTIONS_FILE

FILE = PREDICTIONS_FILE

CORRECT, WRONG = 3, 3
"""Number of stored examples per class: the first correct ones of the test images, and the most confident wrong ones."""
MOST_CLASSES = 20
"""Largest number of classes with examples; if there are more, those with the most errors."""
LARGEST_EXAMPLE = 96
"""Largest height and width of stored examples in pixels; larger images are downscaled."""


@dataclass(frozen=True)
class Predictions:
    """Predicted classes and confidences of M models on N test images, and E example images.

    Attributes:
        models: M names.
        labels: int32 [N].
        predicted: int32 [M, N].
        confidence: float32 [M, N], the maximum of the softmax.
        examples: int32 [E], positions among the test images.
        files: E names.
        images: uint8 [E, S, S, 3], S at most `LARGEST_EXAMPLE`.
    """

    models: tuple[str, ...]
    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    examples: np.ndarray
    files: tuple[str, ...]
    images: np.ndarray

    def of(self, model: str) -> tuple[np.ndarray, np.ndarray]:
        """Predicted classes int32 [N] and confidences float32 [N] of one model."""
        at = self.models.index(model)
        return self.predicted[at], self.confidence[at]

    def save(self, path: Path) -> None:
        """Write them to an `.npz` file."""
        arrays: dict[str, Any] = {name: np.asarray(values) for name, values in vars(self).items()}
        write_with(path, lambda temporary: np.savez_compressed(temporary, **arrays))


def load(path: Path) -> Predictions:
    """Read a file that `Predictions.save` wrote.

    Raises:
        UserError: the file does not exist or is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            values = dict(arrays)
        return Predictions(**values | {name: tuple(map(str, values[name])) for name in ("models", "files")})
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile):
        raise UserError(f"{path} cannot be read: give the folder of a run whose models were scored") from None


def collect(
    logits: Mapping[str, np.ndarray], test: ImageSet, examples_of: str, rgb: tuple[int, int, int] | None = (0, 1, 2)
) -> Predictions:
    """Predictions of all models, with example images that one model classifies correctly or wrongly.

    Args:
        logits: float32 [N, C] by model.
        test: N images.
        examples_of: the model that determines the examples.
        rgb: the channels that are red, green and blue; None: the first ones, as false colors.
    """
    probabilities = {name: softmax(values, axis=1) for name, values in logits.items()}
    predicted = {name: values.argmax(axis=1).astype(np.int32) for name, values in logits.items()}
    confidence = {name: values.max(axis=1).astype(np.float32) for name, values in probabilities.items()}
    examples = _examples(test.labels, predicted[examples_of], confidence[examples_of])
    return Predictions(
        models=tuple(logits),
        labels=test.labels,
        predicted=np.stack(list(predicted.values())),
        confidence=np.stack(list(confidence.values())),
        examples=examples,
        files=tuple(test.files[at] for at in examples),
        images=_reduced(_in_color(np.asarray(test.images[examples]), rgb)),
    )


def _examples(labels: np.ndarray, predicted: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    wrong = predicted != labels
    classes = np.unique(labels)
    errors = np.array([np.count_nonzero(wrong & (labels == each)) for each in classes])
    chosen = []
    for each in sorted(classes[np.argsort(-errors, kind="stable")][:MOST_CLASSES]):
        errors_of_class = np.flatnonzero(wrong & (labels == each))
        most_confident = errors_of_class[np.argsort(-confidence[errors_of_class], kind="stable")]
        chosen += [*np.flatnonzero(~wrong & (labels == each))[:CORRECT], *most_confident[:WRONG]]
    return np.array(chosen, np.int32)


def _in_color(images: np.ndarray, rgb: tuple[int, int, int] | None) -> np.ndarray:
    """uint8 [E, S, S, C] → [E, S, S, 3]."""
    return images[..., list(color_channels(images.shape[-1], rgb))]


def color_channels(channels: int, rgb: tuple[int, int, int] | None) -> tuple[int, int, int]:
    """The channels that are shown as red, green and blue: these if known, else the first ones, as false colors."""
    last = channels - 1
    return rgb or (0, min(1, last), min(2, last))


def _reduced(images: np.ndarray) -> np.ndarray:
    if images.shape[1] <= LARGEST_EXAMPLE:
        return images
    size = (LARGEST_EXAMPLE, LARGEST_EXAMPLE)
    return np.stack([np.asarray(Image.fromarray(image).resize(size)) for image in images])
